# What the check of the compiler's version says, and what it lets pass: cmake -D SOURCE=<project> [-D CHECK="<id> <version>"] -P compiler.cmake
include("${SOURCE}/cmake/ComodalCompiler.cmake")
if(CHECK)
  comodal_check_compiler(${CHECK})
  return()
endif()

# says(<id> <version> <words>): the check ends with one line that has these words; with none, it passes.
function(says id version words)
  execute_process(COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${SOURCE}" -D "CHECK=${id};${version}" -P "${CMAKE_CURRENT_LIST_FILE}"
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(words)
    string(FIND "${out}" "comodal: ${words}\n" place)
    if(status EQUAL 0 OR place LESS 0)
      message(SEND_ERROR "${id} ${version}: expected 'comodal: ${words}', found '${out}'")
    endif()
  elseif(NOT status EQUAL 0)
    message(SEND_ERROR "${id} ${version} is refused: ${out}")
  endif()
endfunction()

set(remedy "expected GCC 12, Clang 14, or newer: name one by CMAKE_CXX_COMPILER")
says(GNU 11.4.0 "the compiler is GNU 11.4.0; ${remedy}")
says(Clang 13.0.1 "the compiler is Clang 13.0.1; ${remedy}")
says(GNU 12.2.0 "")
says(Clang 14.0.6 "")
says(Clang 19.1.7 "")
says(IntelLLVM 2024.0.0 "")
