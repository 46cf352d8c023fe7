comodal_test(report/image_bytes)
target_sources(test_report_image_bytes PRIVATE report/second_unit.cpp)
foreach(_name IN ITEMS colours grey_window planes slice_choice outline mask_runs shown_case still_pictures volume_data
  case_section curves plot html)
  comodal_test(report/${_name})
endforeach()
