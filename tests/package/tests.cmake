# The library from outside: installed, and as a subdirectory of another project.
foreach(_mode installed subdirectory)
  add_test(NAME package.${_mode} COMMAND "${CMAKE_COMMAND}" -D MODE=${_mode} -D "SOURCE=${PROJECT_SOURCE_DIR}" -D "BUILD=${PROJECT_BINARY_DIR}"
    -D "WORK=${CMAKE_CURRENT_BINARY_DIR}/package/${_mode}" -P "${CMAKE_CURRENT_SOURCE_DIR}/package/package.cmake")
  set_tests_properties(package.${_mode} PROPERTIES TIMEOUT 600 ENVIRONMENT "OMP_WAIT_POLICY=PASSIVE")
endforeach()
