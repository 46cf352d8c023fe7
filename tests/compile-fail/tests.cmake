# Programs that must not compile, and the sentence that the compiler has to say. Each is an object library that is left out of
# the build; its CTest builds it.

# comodal_compile_object(<name>): compile-fail/<name>.cpp as the target compile_fail_<name>.
function(comodal_compile_object name)
  set(target compile_fail_${name})
  add_library(${target} OBJECT EXCLUDE_FROM_ALL "compile-fail/${name}.cpp")
  target_link_libraries(${target} PRIVATE comodal::reference)
  target_compile_options(${target} PRIVATE -fsyntax-only)
  set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER "")
endfunction()

# comodal_compile_test(<name>): the test compile-fail.<name> builds compile-fail/<name>.cpp.
function(comodal_compile_test name)
  comodal_compile_object(${name})
  set(target compile_fail_${name})
  add_test(NAME compile-fail.${name} COMMAND "${CMAKE_COMMAND}" --build "${CMAKE_BINARY_DIR}" --config $<CONFIG> --target ${target})
  # Two builds in one folder at a time would meet in the build tool's own files.
  set_tests_properties(compile-fail.${name} PROPERTIES RESOURCE_LOCK comodal_build_folder TIMEOUT 300)
endfunction()

# comodal_compile_fail(<name> <regex>): the test passes where the compiler's output matches <regex>.
function(comodal_compile_fail name regex)
  comodal_compile_test(${name})
  set_tests_properties(compile-fail.${name} PROPERTIES PASS_REGULAR_EXPRESSION "${regex}")
endfunction()

comodal_compile_test(control)
comodal_compile_fail(backend_without_scalar "error: [^\n]*comodal: a tensor_backend needs a member type scalar_type")
comodal_compile_fail(backend_without_space "error: [^\n]*comodal: a tensor_backend needs a member type space_type")
comodal_compile_fail(backend_without_engines "error: [^\n]*comodal: a tensor_backend needs a member type engines_type")
comodal_compile_fail(backend_of_integers "error: [^\n]*scalar_type float, double or bfloat16")
comodal_compile_fail(context_of_no_backend "constraints not satisfied|constraint")
comodal_compile_fail(reference_without_its_include "error: [^\n]*the reference engine needs #include <comodal/engine/reference.hpp>")

include(compile-fail/extension_points.cmake)
