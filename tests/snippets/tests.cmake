# The code blocks of README, docs and the other pages: C++ is compiled, sh is parsed, toml is read as an experiment file.
# Blocks of tutorials that ask for it are run, too (run.sh).
# tests/snippets/extract.awk says how a page gives a block of C++ what stands around it.
find_program(COMODAL_AWK awk REQUIRED)
file(GLOB_RECURSE _pages CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}"
  "${PROJECT_SOURCE_DIR}/docs/*.md" "${PROJECT_SOURCE_DIR}/examples/*.md")
list(APPEND _pages README.md CONTRIBUTING.md)
set(_snippets "${CMAKE_CURRENT_BINARY_DIR}/snippets")
file(REMOVE_RECURSE "${_snippets}")
file(MAKE_DIRECTORY "${_snippets}")
execute_process(
  COMMAND "${COMODAL_AWK}" -v language=cpp -v "folder=${_snippets}" -f "${CMAKE_CURRENT_SOURCE_DIR}/snippets/extract.awk" ${_pages}
  WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE _units COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "\n" ";" _units "${_units}")
list(LENGTH _units _count)
if(_count EQUAL 0)
  message(FATAL_ERROR "comodal: no C++ block was found in README.md and docs")
endif()
list(TRANSFORM _pages PREPEND "${PROJECT_SOURCE_DIR}/")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${_pages} "${CMAKE_CURRENT_SOURCE_DIR}/snippets/extract.awk")

# A library that is left out of the build; its CTest builds it, after CMake where a page has changed.
add_library(snippets OBJECT EXCLUDE_FROM_ALL ${_units})
target_link_libraries(snippets PRIVATE comodal::cli)
target_compile_options(snippets PRIVATE -fsyntax-only -Wall -Wextra
  $<$<BOOL:${COMODAL_WARNINGS_AS_ERRORS}>:-Werror>)
set_target_properties(snippets PROPERTIES CXX_COMPILER_LAUNCHER "")
add_test(NAME snippets.cpp COMMAND "${CMAKE_COMMAND}" --build "${CMAKE_BINARY_DIR}" --config $<CONFIG> --target snippets)
set_tests_properties(snippets.cpp PROPERTIES RESOURCE_LOCK comodal_build_folder TIMEOUT 300)

add_test(NAME snippets.sh COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/snippets/check.sh" "${PROJECT_SOURCE_DIR}" sh)
set_tests_properties(snippets.sh PROPERTIES TIMEOUT 60)
if(TARGET comodal_cli)
  add_test(NAME snippets.toml
    COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/snippets/check.sh" "${PROJECT_SOURCE_DIR}" toml $<TARGET_FILE:comodal_cli>)
  set_tests_properties(snippets.toml PROPERTIES TIMEOUT 60)

  # The tutorials' commands, at a tiny size.
  add_test(NAME snippets.run
    COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/snippets/run.sh" "${PROJECT_SOURCE_DIR}" $<TARGET_FILE:comodal_cli>
      docs/getting-started/your-first-cohort.md docs/getting-started/few-labels.md docs/getting-started/missing-modalities.md)
  add_test(NAME snippets.run_refuses
    COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/snippets/run.sh" "${PROJECT_SOURCE_DIR}" $<TARGET_FILE:comodal_cli> tests/snippets/failing.md)
  set_tests_properties(snippets.run snippets.run_refuses PROPERTIES TIMEOUT 300)
  set_tests_properties(snippets.run_refuses PROPERTIES PASS_REGULAR_EXPRESSION
    "^FAILED: tests/snippets/failing.md\n[^#]*there is no such folder\n$")
endif()
