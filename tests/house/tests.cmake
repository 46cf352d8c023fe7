# The rules of the house. tests/house/headers.sh, machine_paths.sh and format.sh say what they look at.
foreach(_check headers machine_paths format)
  add_test(NAME house.${_check} COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/${_check}.sh" "${PROJECT_SOURCE_DIR}")
  set_tests_properties(house.${_check} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 60)
endforeach()

add_test(NAME house.presets COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -P "${CMAKE_CURRENT_SOURCE_DIR}/house/presets.cmake")
set_tests_properties(house.presets PROPERTIES TIMEOUT 60)
add_test(NAME house.compiler COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -P "${CMAKE_CURRENT_SOURCE_DIR}/house/compiler.cmake")
set_tests_properties(house.compiler PROPERTIES TIMEOUT 60)
add_test(NAME house.missing COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -P "${CMAKE_CURRENT_SOURCE_DIR}/house/missing.cmake")
set_tests_properties(house.missing PROPERTIES TIMEOUT 60)
add_test(NAME house.kokkos_root COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -D "WORK=${CMAKE_CURRENT_BINARY_DIR}/kokkos_root"
  -P "${CMAKE_CURRENT_SOURCE_DIR}/house/kokkos_root.cmake")
set_tests_properties(house.kokkos_root PROPERTIES TIMEOUT 120)
add_test(NAME house.commit COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -D "WORK=${CMAKE_CURRENT_BINARY_DIR}/commit"
  -P "${CMAKE_CURRENT_SOURCE_DIR}/house/commit.cmake")
set_tests_properties(house.commit PROPERTIES TIMEOUT 60)

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
comodal_test(house/two_units LIBRARIES comodal::cli)
target_sources(test_house_two_units PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/house/second_unit.cpp")

# The form and the links of the pages. That these two see what they look for is shown on tests/house/broken.
foreach(_check links markdown)
  add_test(NAME house.${_check} COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/${_check}.sh" "${PROJECT_SOURCE_DIR}")
  add_test(NAME house.${_check}_refuses
    COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/${_check}.sh" "${CMAKE_CURRENT_SOURCE_DIR}/house/broken")
  set_tests_properties(house.${_check} house.${_check}_refuses PROPERTIES TIMEOUT 60)
endforeach()
set_tests_properties(house.links_refuses PROPERTIES PASS_REGULAR_EXPRESSION
  "^README.md:3: links to docs.absent.md, [^\n]*\nREADME.md:3: links to docs.page.md#no-such-heading, [^\n]*\nREADME.md:3: names docs.absent.md[^\n]*\ninclude/header.hpp:1: names docs.gone.md[^\n]*\n$")
set_tests_properties(house.markdown_refuses PROPERTIES PASS_REGULAR_EXPRESSION
  "^README.md:4: 121 characters[^\n]*\nREADME.md:6: a code block in \"python\"[^\n]*\nREADME.md:9: indented code[^\n]*\n$")

# Long sentences, and the messages that the page on troubleshooting quotes; each check is shown to refuse.
foreach(_check sentences messages)
  add_test(NAME house.${_check} COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/${_check}.sh" "${PROJECT_SOURCE_DIR}")
  set_tests_properties(house.${_check} PROPERTIES TIMEOUT 60)
endforeach()
add_test(NAME house.sentences_refuses
  COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/sentences.sh" "${CMAKE_CURRENT_SOURCE_DIR}/house/broken" 0)
set_tests_properties(house.sentences_refuses PROPERTIES TIMEOUT 60 PASS_REGULAR_EXPRESSION
  "^docs.long.md:3: 31 words: [^\n]*\n1 sentences of more than 30 words, expected 0 at most\n$")
add_test(NAME house.messages_refuses COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/messages.sh" "${PROJECT_SOURCE_DIR}"
  tests/house/broken/docs/messages.md)
set_tests_properties(house.messages_refuses PROPERTIES TIMEOUT 60 PASS_REGULAR_EXPRESSION
  "^tests.house.broken.docs.messages.md: no file prints \"there is no such folder of mistakes\"[^\n]*\n$")

# The site, from warnings to links; skipped where MkDocs, its theme or Doxygen are missing.
add_test(NAME house.site
  COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/house/site.sh" "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_BINARY_DIR}/site")
set_tests_properties(house.site PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
