# cmake -D FOLDER=<build folder> -D CONFIG=<configuration> -D TARGET=<target> -D SENTENCES=<file> -P sentences.cmake
# Builds TARGET, which must fail with the assertions of SENTENCES (one regular expression per line) and no other assertion:
# one per deficient type, in their order.
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${FOLDER}" --config "${CONFIG}" --target "${TARGET}"
  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
if(status EQUAL 0)
  message(FATAL_ERROR "${TARGET} compiled")
endif()
string(REPLACE ";" "," output "${output}")
string(REGEX MATCHALL "error: [^\n]*comodal: [^\n]*" said "${output}")
file(STRINGS "${SENTENCES}" sentences)
list(LENGTH said found)
list(LENGTH sentences wanted)
if(NOT found EQUAL wanted)
  message(FATAL_ERROR "${TARGET}: ${found} assertions, expected ${wanted}:\n${output}")
endif()
foreach(sentence line IN ZIP_LISTS sentences said)
  if(NOT line MATCHES "comodal: ${sentence}")
    message(FATAL_ERROR "${TARGET}: expected '${sentence}', the compiler said: ${line}")
  endif()
endforeach()
