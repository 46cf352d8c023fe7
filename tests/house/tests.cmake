# The rules of the house. tests/house/headers.sh, machine_paths.sh and format.sh say what they look at.
foreach(_check headers machine_paths format)
  add_test(NAME house.${_check} COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/${_check}.sh" "${PROJECT_SOURCE_DIR}")
  set_tests_properties(house.${_check} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 60)
endforeach()

add_test(NAME house.presets COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -P "${CMAKE_CURRENT_SOURCE_DIR}/house/presets.cmake")
set_tests_properties(house.presets PROPERTIES TIMEOUT 60)
add_test(NAME house.compiler COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -P "${CMAKE_CURRENT_SOURCE_DIR}/house/compiler.cmake")
set_tests_properties(house.compiler PROPERTIES TIMEOUT 60)
add_test(NAME house.kokkos_root COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -D "WORK=${CMAKE_CURRENT_BINARY_DIR}/kokkos_root"
  -P "${CMAKE_CURRENT_SOURCE_DIR}/house/kokkos_root.cmake")
set_tests_properties(house.kokkos_root PROPERTIES TIMEOUT 120)

# What a program with skipped cases (tests/skip.hpp) ends with.
add_executable(house_skipping house/skipping.cpp)
target_compile_definitions(house_skipping PRIVATE BOOST_TEST_DYN_LINK)
target_include_directories(house_skipping PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(house_skipping PRIVATE Boost::unit_test_framework)
comodal_warn(house_skipping)
add_test(NAME house.skip COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/skip.sh" $<TARGET_FILE:house_skipping>)

# Every header, in reverse order, in a second unit; _headers is the list of compile/units.cmake.
set(_includes)
list(SORT _headers ORDER DESCENDING)
foreach(_header IN LISTS _headers)
  string(APPEND _includes "#include <${_header}>\n")
endforeach()
configure_file(house/second_unit.cpp.in house/second_unit.cpp @ONLY)
comodal_test(house/two_units)
target_sources(test_house_two_units PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/house/second_unit.cpp")
