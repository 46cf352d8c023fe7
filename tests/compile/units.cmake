# The device bodies of all kernels on the host, against the reference engine.
comodal_test(compile/device_bodies)
comodal_test(compile/device_step)
comodal_test(compile/device_loops)

# main_network: every layer in one program. headers_alone: each header in a unit of its own, twice, so that it is complete and
# guarded; the compiler only reads them, and writes nothing. Neither is part of the default build: .ci/run builds them, and
# tests/compile_matrix.sh for one Kokkos after another.
add_executable(main_network EXCLUDE_FROM_ALL compile/main_network.cpp)
target_link_libraries(main_network PRIVATE comodal::comodal)

file(GLOB_RECURSE _headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/include/comodal/*.hpp")
get_target_property(_definitions comodal INTERFACE_COMPILE_DEFINITIONS)
if(NOT COMODAL_ENABLE_ONEDNN IN_LIST _definitions)
  list(FILTER _headers EXCLUDE REGEX "/onednn/")
endif()
if(NOT COMODAL_ENABLE_CUDNN IN_LIST _definitions)
  list(FILTER _headers EXCLUDE REGEX "/cudnn/")
endif()
set(_units)
foreach(_header IN LISTS _headers)
  string(REGEX REPLACE "[/.]" "_" _unit "${_header}")
  set(_unit "${CMAKE_CURRENT_BINARY_DIR}/headers/${_unit}.cpp")
  file(CONFIGURE OUTPUT "${_unit}" CONTENT "#include <@_header@>\n#include <@_header@>\n" @ONLY)
  list(APPEND _units "${_unit}")
endforeach()
add_library(headers_alone OBJECT EXCLUDE_FROM_ALL ${_units})
target_link_libraries(headers_alone PRIVATE comodal::reference comodal::cli)
target_compile_options(headers_alone PRIVATE -fsyntax-only)
set_target_properties(headers_alone PROPERTIES CXX_COMPILER_LAUNCHER "")

foreach(_target main_network headers_alone)
  comodal_warn(${_target})
endforeach()

# What a program costs the compiler, in numbers that do not depend on the machine's load: preprocessed lines, and bytes of the object, with
# comodal::compiled and with one more name (bench/compile_time.py measures seconds and memory).
function(comodal_compile_size name)
  add_library(${name} OBJECT "${PROJECT_SOURCE_DIR}/bench/compile/quickstart.cpp")
  target_link_libraries(${name} PRIVATE comodal::compiled)
  target_compile_options(${name} PRIVATE ${ARGN})
endfunction()
comodal_compile_size(compile_lines -E -P)
comodal_compile_size(compile_quickstart)
comodal_compile_size(compile_one_more -DCOMODAL_ONE_MORE_NAME)
add_test(NAME compile.size COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/compile/size.sh" $<TARGET_OBJECTS:compile_lines> $<TARGET_OBJECTS:compile_quickstart>
  $<TARGET_OBJECTS:compile_one_more>)
