# comodal_define_multiarch(): the comodal program in three parts, for processors of different ages:
#   bin/comodal                                              a few lines, for any x86-64
#   lib/glibc-hwcaps/x86-64-v3/libcomodal_application.so.*   the program's work, for x86-64-v3
#   lib/glibc-hwcaps/x86-64-v4/libcomodal_application.so.*   the same for x86-64-v4
#   lib/libcomodal_application.so.*                          for older processors: one sentence, and status 1
# The loader of glibc (from 2.33 on) takes the newest that the processor can run. Each is compiled from the sources of
# comodal::compiled_common, comodal::compiled_mixed and comodal::compiled_cli.
function(comodal_define_multiarch)
  comodal_march(_march)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    message(FATAL_ERROR " comodal: COMODAL_MULTIARCH is for x86-64 under Linux, this is ${CMAKE_SYSTEM_NAME} on ${CMAKE_SYSTEM_PROCESSOR}: leave it out")
  endif()
  if(NOT _march OR NOT COMODAL_CLI OR COMODAL_COMPILED_FOLDER)
    message(FATAL_ERROR " comodal: COMODAL_MULTIARCH needs COMODAL_ARCH=portable and COMODAL_CLI=ON, and takes no COMODAL_COMPILED_FOLDER")
  endif()
  set(_sources "${COMODAL_MULTIARCH_FOLDER}/application.cpp")
  foreach(_part compiled_common compiled_mixed compiled_cli)
    get_target_property(_files comodal_${_part} SOURCES)
    list(APPEND _sources ${_files})
  endforeach()
  # The commit of the sources, as the program of examples/cli says it.
  set(COMODAL_COMMIT "" CACHE STRING "The commit of the sources; empty: git is asked")
  add_custom_target(comodal_application_commit
    COMMAND ${CMAKE_COMMAND} -D "SOURCE=${PROJECT_SOURCE_DIR}/examples/cli" -D "FILE=${PROJECT_BINARY_DIR}/multiarch/commit.hpp"
            -D "COMMIT=${COMODAL_COMMIT}" -P "${PROJECT_SOURCE_DIR}/examples/cli/commit.cmake"
    BYPRODUCTS "${PROJECT_BINARY_DIR}/multiarch/commit.hpp"
    VERBATIM)
  comodal_multiarch_program(comodal::cli ${_sources})
  foreach(_level ${COMODAL_MULTIARCH_LEVELS})
    target_compile_definitions(comodal_application_${_level} PRIVATE COMODAL_COMPILED_COMMON COMODAL_COMPILED_MIXED COMODAL_COMPILED_CLI)
    target_include_directories(comodal_application_${_level} PRIVATE "${PROJECT_BINARY_DIR}/multiarch")
    add_dependencies(comodal_application_${_level} comodal_application_commit)
  endforeach()
endfunction()

set(COMODAL_MULTIARCH_FOLDER "${CMAKE_CURRENT_LIST_DIR}/multiarch")
set(COMODAL_MULTIARCH_LEVELS x86-64-v3 x86-64-v4)

# comodal_multiarch_program(<link> <source>...): the parts above from these sources, which have comodal_application(); the libraries of
# the levels link <link>, which reads the property COMODAL_LEVEL of what links it.
function(comodal_multiarch_program link)
  foreach(_level ${COMODAL_MULTIARCH_LEVELS})
    set(_target comodal_application_${_level})
    add_library(${_target} SHARED ${ARGN})
    target_link_libraries(${_target} PRIVATE ${link})
    set_target_properties(${_target} PROPERTIES COMODAL_LEVEL ${_level} CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    _comodal_multiarch_place(${_target} glibc-hwcaps/${_level})
  endforeach()
  add_library(comodal_application_old SHARED "${COMODAL_MULTIARCH_FOLDER}/too_old.cpp")
  _comodal_multiarch_place(comodal_application_old "")
  add_executable(comodal_launcher "${COMODAL_MULTIARCH_FOLDER}/launcher.cpp")
  comodal_warn(comodal_launcher)
  target_link_libraries(comodal_launcher PRIVATE comodal_application_old)
  list(TRANSFORM COMODAL_MULTIARCH_LEVELS PREPEND comodal_application_ OUTPUT_VARIABLE _targets)
  add_dependencies(comodal_launcher ${_targets})
  file(RELATIVE_PATH _libraries "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
  set_target_properties(comodal_launcher PROPERTIES OUTPUT_NAME comodal RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/multiarch/bin"
    INSTALL_RPATH "$ORIGIN/${_libraries}")
  install(TARGETS comodal_launcher)
  comodal_install_completions()
endfunction()

# _comodal_multiarch_place(<target> <folder>): where one of the libraries is built and installed, below lib/.
function(_comodal_multiarch_place target folder)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME comodal_application
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/multiarch/lib/${folder}" INSTALL_RPATH_USE_LINK_PATH ON)
  comodal_warn(${target})
  install(TARGETS ${target} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/${folder}" NAMELINK_SKIP)
endfunction()
