# What configuring says when Kokkos_ROOT is missing, empty or wrong, before it looks for a compiler:
#   cmake -D SOURCE=<project> -D WORK=<folder, emptied> -P kokkos_root.cmake
file(REMOVE_RECURSE "${WORK}")

# A folder that looks like an installed Kokkos.
function(pretend_kokkos name version backends)
  file(WRITE "${WORK}/${name}/lib/cmake/Kokkos/KokkosConfig.cmake" "include(KokkosConfigCommon.cmake)\n")
  file(WRITE "${WORK}/${name}/lib/cmake/Kokkos/KokkosConfigCommon.cmake" "set(Kokkos_DEVICES ${backends})\n")
  file(WRITE "${WORK}/${name}/lib/cmake/Kokkos/KokkosConfigVersion.cmake" "set(PACKAGE_VERSION \"${version}\")\n")
endfunction()
pretend_kokkos(host 4.6.02 "OPENMP;SERIAL")
pretend_kokkos(old 4.5.01 "CUDA;SERIAL")
pretend_kokkos(device 4.7.01 "CUDA;OPENMP;SERIAL")

# says(<line> PRESET <name> [ENV <value of the environment>] [ARGS ...]): configuring fails with this one line, without a compiler.
function(says line)
  cmake_parse_arguments(arg "" "PRESET" "ENV;ARGS" ${ARGN})
  set(environment --unset=Kokkos_ROOT)
  if(arg_ENV)
    string(REPLACE "EMPTY" "" value "${arg_ENV}")
    set(environment "Kokkos_ROOT=${value}")
  endif()
  execute_process(COMMAND "${CMAKE_COMMAND}" -E env "${environment}" "${CMAKE_COMMAND}" --preset ${arg_PRESET} --fresh -S "${SOURCE}" -B "${WORK}/build" ${arg_ARGS}
    WORKING_DIRECTORY "${SOURCE}" RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  string(REPLACE "@" "${WORK}" line "${line}")
  string(FIND "${out}" "comodal: ${line}\n" place)
  if(status EQUAL 0 OR place LESS 0)
    message(SEND_ERROR "preset ${arg_PRESET}, environment '${arg_ENV}', ${arg_ARGS}: expected 'comodal: ${line}', found:\n${out}")
  elseif(out MATCHES "compiler identification|CMAKE_CXX_COMPILER not set|not a full path")
    message(SEND_ERROR "preset ${arg_PRESET}, environment '${arg_ENV}', ${arg_ARGS}: looked for a compiler first:\n${out}")
  endif()
endfunction()

foreach(backend CUDA HIP)
  string(TOLOWER ${backend} preset)
  set(expected "expected the prefix of an installed Kokkos, version 4.6 or newer, with the back end ${backend}")
  says("Kokkos_ROOT is set neither as a CMake variable nor in the environment; ${expected}" PRESET ${preset})
  says("Kokkos_ROOT (set in the environment) is empty; ${expected}" PRESET ${preset} ENV EMPTY)
  says("Kokkos_ROOT (set as a CMake variable) is empty; ${expected}" PRESET ${preset} ARGS -DKokkos_ROOT=)
  says("Kokkos_ROOT=/nowhere (set in the environment) holds no Kokkos (no lib/cmake/Kokkos/KokkosConfig.cmake); ${expected}" PRESET ${preset} ENV /nowhere)
  says("Kokkos_ROOT=@/host (set as a CMake variable) holds Kokkos 4.6.02 with the back ends 'OPENMP;SERIAL'; ${expected}"
    PRESET ${preset} ENV /nowhere ARGS "-DKokkos_ROOT=${WORK}/host")
endforeach()
says("Kokkos_ROOT=@/old (set in the environment) holds Kokkos 4.5.01 with the back ends 'CUDA;SERIAL'; expected the prefix of an installed Kokkos, version 4.6 or newer, with the back end CUDA"
  PRESET cuda ENV "${WORK}/old")
says("Kokkos_ROOT=@/device (set in the environment) has no bin/nvcc_wrapper, which compiles for CUDA; name a compiler by CMAKE_CXX_COMPILER"
  PRESET cuda ENV "${WORK}/device")
says("Kokkos_ROOT=@/old (set in the environment) holds Kokkos 4.5.01 with the back ends 'CUDA;SERIAL'; expected the prefix of an installed Kokkos with the back end OPENMP, or no Kokkos_ROOT to use the system's Kokkos"
  PRESET openmp ENV "${WORK}/old")
says("Kokkos_ROOT (set in the environment) is empty; expected the prefix of an installed Kokkos, or no Kokkos_ROOT to use the system's Kokkos" PRESET release ENV EMPTY)

# With a good one the compiler comes from there, whether it was named by variable or in the environment.
file(WRITE "${WORK}/device/bin/nvcc_wrapper" "#!/bin/sh\necho called >>'${WORK}/calls'\nexit 1\n")
file(CHMOD "${WORK}/device/bin/nvcc_wrapper" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
execute_process(COMMAND "${CMAKE_COMMAND}" -E env --unset=Kokkos_ROOT "${CMAKE_COMMAND}" --preset cuda --fresh -S "${SOURCE}" -B "${WORK}/build"
  "-DKokkos_ROOT=${WORK}/device" WORKING_DIRECTORY "${SOURCE}" OUTPUT_VARIABLE out ERROR_VARIABLE out)
if(NOT EXISTS "${WORK}/calls")
  message(SEND_ERROR "-DKokkos_ROOT=${WORK}/device does not compile with its bin/nvcc_wrapper:\n${out}")
endif()

# A build folder keeps what the environment said.
execute_process(COMMAND "${CMAKE_COMMAND}" -E env "Kokkos_ROOT=${WORK}/device" "${CMAKE_COMMAND}" --preset cuda --fresh -S "${SOURCE}" -B "${WORK}/build"
  WORKING_DIRECTORY "${SOURCE}" OUTPUT_QUIET ERROR_QUIET)
file(REMOVE "${WORK}/calls")
execute_process(COMMAND "${CMAKE_COMMAND}" -E env --unset=Kokkos_ROOT "${CMAKE_COMMAND}" --preset cuda -S "${SOURCE}" -B "${WORK}/build"
  WORKING_DIRECTORY "${SOURCE}" OUTPUT_VARIABLE out ERROR_VARIABLE out)
if(NOT EXISTS "${WORK}/calls")
  message(SEND_ERROR "configured again without Kokkos_ROOT, the build folder has forgotten it:\n${out}")
endif()
