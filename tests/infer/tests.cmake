comodal_test(infer/sliding_window)
comodal_test(infer/modality_subset)
comodal_test(infer/predict_case)
comodal_test(infer/uncertainty)

if(TARGET comodal_cli AND TARGET predict_files)
  comodal_test(infer/foreign_memory ARGS -- $<TARGET_FILE:comodal_cli> $<TARGET_FILE:predict_files>)
  add_dependencies(test_infer_foreign_memory comodal_cli predict_files)
  # As the programs are compiled that it is compared with, to the bit.
  target_compile_options(test_infer_foreign_memory PRIVATE -O3)
endif()
