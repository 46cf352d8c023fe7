# The commit that examples/cli/commit.cmake writes down, where it is given and where git does not know:
#   cmake -D SOURCE=<project> -D WORK=<folder, emptied> -P commit.cmake
file(REMOVE_RECURSE "${WORK}")

# writes(<commit> <folder of the sources> <argument>...): the file has this commit.
function(writes expected folder)
  execute_process(COMMAND "${CMAKE_COMMAND}" -E env "GIT_CEILING_DIRECTORIES=${WORK}" "${CMAKE_COMMAND}" -D "SOURCE=${folder}" -D "FILE=${WORK}/commit.hpp" ${ARGN}
    -P "${SOURCE}/examples/cli/commit.cmake" RESULT_VARIABLE status ERROR_VARIABLE words)
  file(READ "${WORK}/commit.hpp" text)
  string(FIND "${text}" "#define COMODAL_COMMIT \"${expected}\"\n" place)
  if(NOT status EQUAL 0 OR place LESS 0)
    message(SEND_ERROR "expected the commit '${expected}' for ${folder} ${ARGN}, found:\n${text}${words}")
  endif()
endfunction()

file(MAKE_DIRECTORY "${WORK}/unpacked/examples/cli")
writes("" "${WORK}/unpacked/examples/cli")
writes("" "${WORK}/unpacked/examples/cli" -D COMMIT=)
writes("0123456789ab" "${WORK}/unpacked/examples/cli" -D COMMIT=0123456789ab)
writes("v0.1.0" "${SOURCE}/examples/cli" -D COMMIT=v0.1.0)

execute_process(COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${SOURCE}/examples/cli" -D "FILE=${WORK}/wrong.hpp" -D "COMMIT=a \"b\""
  -P "${SOURCE}/examples/cli/commit.cmake" RESULT_VARIABLE status ERROR_VARIABLE words)
if(status EQUAL 0 OR EXISTS "${WORK}/wrong.hpp" OR NOT words MATCHES "COMODAL_COMMIT is 'a \"b\"'; expected letters")
  message(SEND_ERROR "a commit that is no word was taken: ${words}")
endif()
