# From DICOM and back, with pydicom, highdicom, nibabel and dcm2niix; skipped where one of them is missing.
# COMODAL_PYTHON names the interpreter that has the packages, such as that of a venv.
add_executable(test_dicom_bright_mask dicom/bright_mask.cpp)
target_link_libraries(test_dicom_bright_mask PRIVATE comodal::comodal)
target_compile_options(test_dicom_bright_mask PRIVATE -O1)
comodal_warn(test_dicom_bright_mask)
add_test(NAME dicom COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/python.sh" "${COMODAL_PYTHON}"
  "${CMAKE_CURRENT_SOURCE_DIR}/dicom/test_dicom.py" $<TARGET_FILE:test_dicom_bright_mask>
  "${PROJECT_SOURCE_DIR}/examples/python/mask_to_dicom_seg.py")
set_tests_properties(dicom PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
