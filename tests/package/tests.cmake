# The library from outside: installed, as a subdirectory of another project, and with the program for processors of different ages.
set(_modes installed subdirectory)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  list(APPEND _modes multiarch)
endif()
foreach(_mode ${_modes})
  add_test(NAME package.${_mode} COMMAND "${CMAKE_COMMAND}" -D MODE=${_mode} -D "SOURCE=${PROJECT_SOURCE_DIR}" -D "BUILD=${PROJECT_BINARY_DIR}"
    -D "WORK=${CMAKE_CURRENT_BINARY_DIR}/package/${_mode}" -P "${CMAKE_CURRENT_SOURCE_DIR}/package/package.cmake")
  set_tests_properties(package.${_mode} PROPERTIES TIMEOUT 600 SKIP_REGULAR_EXPRESSION "skipped: needs" ENVIRONMENT "OMP_WAIT_POLICY=PASSIVE")
endforeach()
