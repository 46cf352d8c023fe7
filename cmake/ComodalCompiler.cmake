# comodal_check_compiler(<id> <version>): an error for a compiler that is older than what the library is built with.
# Clang's OpenMP comes from its own package (Debian: libomp-<version>-dev).
function(comodal_check_compiler id version)
  set(least_GNU 12)
  set(least_Clang 14)
  if(DEFINED least_${id} AND version VERSION_LESS least_${id})
    message(FATAL_ERROR " comodal: the compiler is ${id} ${version}; expected GCC ${least_GNU}, Clang ${least_Clang}, or newer: name one by CMAKE_CXX_COMPILER")
  endif()
endfunction()

# comodal_warn(<target>): the warnings that our own programs and tests are compiled with.
function(comodal_warn target)
  target_compile_options(${target} PRIVATE -Wall -Wextra $<$<BOOL:${COMODAL_WARNINGS_AS_ERRORS}>:-Werror>
    # Clang reports in our name that libstdc++'s std::stable_sort calls a deprecated function, and each simd loop that it leaves scalar.
    "$<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations;-Wno-pass-failed>")
  # nvcc only warns where a kernel calls a function of the host (std::array's members are such), and the kernel is then wrong.
  if(CMAKE_CXX_COMPILER MATCHES "nvcc_wrapper$")
    foreach(_number 20011 20013 20014 20015)
      target_compile_options(${target} PRIVATE "SHELL:-Xcudafe --diag_error=${_number}")
    endforeach()
  endif()
endfunction()
