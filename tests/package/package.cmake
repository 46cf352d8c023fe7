# What a user of the library does, with the compiler and settings of the build that runs this test:
#   cmake -D MODE=installed|subdirectory|multiarch -D SOURCE=<project> -D WORK=<folder, emptied> -D BUILD=<this build> -P package.cmake
# installed: installs the project, moves the prefix, and builds and runs examples/custom_fusion, copied out of the project, with
# find_package(comodal); the same for examples/names, whose names then go through train, predict and info. subdirectory: a project of its own that includes comodal by add_subdirectory builds and runs the same program.
# multiarch: COMODAL_MULTIARCH compiles each unit for each level, and the loader chooses between libraries that are installed so.
load_cache("${BUILD}" READ_WITH_PREFIX outer_ CMAKE_GENERATOR CMAKE_MAKE_PROGRAM CMAKE_BUILD_TYPE CMAKE_CXX_COMPILER CMAKE_CXX_COMPILER_LAUNCHER
  CMAKE_CXX_FLAGS CMAKE_PREFIX_PATH COMODAL_ARCH COMODAL_ONEDNN COMODAL_REQUIRE_BACKEND Kokkos_ROOT)
set(settings -G "${outer_CMAKE_GENERATOR}")
foreach(name CMAKE_MAKE_PROGRAM CMAKE_BUILD_TYPE CMAKE_CXX_COMPILER CMAKE_CXX_COMPILER_LAUNCHER CMAKE_CXX_FLAGS COMODAL_ONEDNN COMODAL_REQUIRE_BACKEND)
  list(APPEND settings "-D${name}=${outer_${name}}")
endforeach()
if(outer_Kokkos_ROOT)
  list(APPEND settings "-DKokkos_ROOT=${outer_Kokkos_ROOT}")
endif()

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " words "${ARGV}")
    message(FATAL_ERROR "${words}\n${out}")
  endif()
  set(output "${out}" PARENT_SCOPE)
endfunction()

# expect_march(<folder> <value>): every unit of the build folder is compiled with -march=<value>; with no -march if it is empty.
function(expect_march folder value)
  file(READ "${folder}/compile_commands.json" json)
  string(JSON count LENGTH "${json}")
  math(EXPR last "${count} - 1")
  foreach(i RANGE ${last})
    string(JSON command GET "${json}" ${i} command)
    string(REGEX MATCHALL "-march=[^ ]+" found "${command}")
    if(NOT found STREQUAL "${value}")
      message(FATAL_ERROR "compiled with '${found}', expected '${value}': ${command}")
    endif()
  endforeach()
endfunction()

# expect_levels(<folder>): each unit of the application is compiled once for x86-64-v3 and once for x86-64-v4, the launcher for any processor.
function(expect_levels folder)
  file(READ "${folder}/compile_commands.json" json)
  string(JSON count LENGTH "${json}")
  math(EXPR last "${count} - 1")
  foreach(i RANGE ${last})
    string(JSON command GET "${json}" ${i} command)
    string(JSON file GET "${json}" ${i} file)
    set(level)
    if(command MATCHES "comodal_application_(x86-64-v[34])\\.dir")
      set(level "${CMAKE_MATCH_1}")
      list(APPEND units_${level} "${file}")
    endif()
    string(REGEX MATCHALL "-march=[^ ]+" found "${command}")
    string(REGEX MATCHALL "COMODAL_ARCH_NAME=[^ ]+" named "${command}")
    if(level AND (NOT found STREQUAL "-march=${level}" OR NOT named MATCHES "${level}") OR NOT level AND found AND command MATCHES "cmake/multiarch/")
      message(FATAL_ERROR "compiled with '${found}' and ${named}, expected '${level}': ${command}")
    endif()
  endforeach()
  list(LENGTH units_x86-64-v3 count)
  if(count LESS 10 OR NOT units_x86-64-v3 STREQUAL units_x86-64-v4)
    message(FATAL_ERROR "units for x86-64-v3: ${units_x86-64-v3}\nfor x86-64-v4: ${units_x86-64-v4}")
  endif()
endfunction()

set(settings ${settings} -DCMAKE_EXPORT_COMPILE_COMMANDS=ON)
file(REMOVE_RECURSE "${WORK}")
if(MODE STREQUAL "installed")
  run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${WORK}/project" ${settings} -DCOMODAL_ARCH=native -DCOMODAL_BUILD_TESTS=OFF -DCOMODAL_BUILD_EXAMPLES=OFF)
  run("${CMAKE_COMMAND}" --install "${WORK}/project" --prefix "${WORK}/installed")
  file(RENAME "${WORK}/installed" "${WORK}/prefix")
  file(REMOVE_RECURSE "${WORK}/project")
  file(RENAME "${WORK}/prefix/share/comodal/examples" "${WORK}/outside")
  foreach(name cli/main.cpp phantom.toml README.md)
    if(NOT EXISTS "${WORK}/outside/${name}")
      message(FATAL_ERROR "the example ${name} is not installed")
    endif()
  endforeach()
  run("${CMAKE_COMMAND}" -S "${WORK}/outside" -B "${WORK}/build" ${settings} -DCOMODAL_EXAMPLES=custom_fusion
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix;${outer_CMAKE_PREFIX_PATH}")
  load_cache("${WORK}/build" READ_WITH_PREFIX inner_ comodal_DIR)
  if(NOT inner_comodal_DIR MATCHES "^${WORK}/prefix/")
    message(FATAL_ERROR "find_package(comodal) found ${inner_comodal_DIR}, expected the package in ${WORK}/prefix")
  endif()
  if(NOT EXISTS "${WORK}/build/comodal_compiled/network.cpp")
    message(FATAL_ERROR "find_package(comodal) defines no comodal::compiled")
  endif()
  foreach(name LICENSE CITATION.cff)
    if(NOT EXISTS "${WORK}/prefix/share/doc/comodal/${name}")
      message(FATAL_ERROR "${name} is not installed")
    endif()
  endforeach()
  # Who does not ask for the reference engine needs neither xtensor nor BLAS; who does gets comodal::reference.
  load_cache("${WORK}/build" READ_WITH_PREFIX inner_ COMODAL_XTENSOR_INCLUDE_DIR BLAS_LIBRARIES BLAS_openblas_LIBRARY)
  foreach(name COMODAL_XTENSOR_INCLUDE_DIR BLAS_LIBRARIES BLAS_openblas_LIBRARY)
    if(inner_${name})
      message(FATAL_ERROR "find_package(comodal) looked for the reference engine's ${name}: ${inner_${name}}")
    endif()
  endforeach()
  file(WRITE "${WORK}/component/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)\nproject(component LANGUAGES CXX)\n"
    "find_package(comodal REQUIRED)\nfind_package(comodal REQUIRED COMPONENTS reference)\n"
    "if(NOT TARGET comodal::reference)\n  message(FATAL_ERROR \"no comodal::reference\")\nendif()\n")
  run("${CMAKE_COMMAND}" -S "${WORK}/component" -B "${WORK}/component/build" ${settings} "-DCMAKE_PREFIX_PATH=${WORK}/prefix;${outer_CMAKE_PREFIX_PATH}")
  # The package was installed by a native build, and hands no -march on; a user may ask for one.
  expect_march("${WORK}/build" "")
  run("${CMAKE_COMMAND}" -S "${WORK}/outside" -B "${WORK}/asked" ${settings} -DCOMODAL_EXAMPLES=custom_fusion -DCOMODAL_ARCH=native
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix;${outer_CMAKE_PREFIX_PATH}")
  expect_march("${WORK}/asked" "-march=native")
  # Libraries that were compiled otherwise are refused.
  execute_process(COMMAND "${CMAKE_COMMAND}" -S "${WORK}/outside/names" -B "${WORK}/otherwise" ${settings}
    -DCOMODAL_ARCH=x86-64-v2 "-DCOMODAL_COMPILED_FOLDER=${BUILD}"
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix;${outer_CMAKE_PREFIX_PATH}"
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(status EQUAL 0 OR NOT out MATCHES "compiled otherwise[ \n]+than this project" OR
      NOT out MATCHES "COMODAL_ARCH=x86-64-v2")
    message(FATAL_ERROR "COMODAL_COMPILED_FOLDER took libraries for another processor:\n${out}")
  endif()
  # A command line of one's own, with what the outer build has compiled.
  run("${CMAKE_COMMAND}" -S "${WORK}/outside/names" -B "${WORK}/names" ${settings} "-DCOMODAL_ARCH=${outer_COMODAL_ARCH}" "-DCOMODAL_COMPILED_FOLDER=${BUILD}"
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix;${outer_CMAKE_PREFIX_PATH}")
  run("${CMAKE_COMMAND}" --build "${WORK}/names")
  run(sh "${CMAKE_CURRENT_LIST_DIR}/test_names.sh" "${WORK}/names/names" "${BUILD}/examples/cli/comodal" "${WORK}/outside/names/names.toml")
elseif(MODE STREQUAL "multiarch")
  run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${WORK}/project" ${settings} -DCOMODAL_ARCH=portable -DCOMODAL_MULTIARCH=ON -DCOMODAL_BUILD_TESTS=OFF
    -DCOMODAL_BUILD_EXAMPLES=OFF "-DCMAKE_PREFIX_PATH=${outer_CMAKE_PREFIX_PATH}")
  expect_levels("${WORK}/project")
  run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/multiarch" -B "${WORK}/build" ${settings} "-DCOMODAL_SOURCE=${SOURCE}")
  run("${CMAKE_COMMAND}" --build "${WORK}/build")
  run("${CMAKE_COMMAND}" --install "${WORK}/build" --prefix "${WORK}/installed")
  file(REMOVE_RECURSE "${WORK}/build")
  file(RENAME "${WORK}/installed" "${WORK}/prefix")
  execute_process(COMMAND sh "${CMAKE_CURRENT_LIST_DIR}/multiarch/test_levels.sh" "${WORK}/prefix" RESULT_VARIABLE status OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  message("${output}")
  if(status EQUAL 77)
    return()  # the words "skipped: " are what CTest looks for
  elseif(NOT status EQUAL 0)
    message(FATAL_ERROR "test_levels.sh ended with ${status}")
  endif()
  return()
else()
  run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/subdirectory" -B "${WORK}/build" ${settings} -DCOMODAL_ARCH=native "-DCOMODAL_SOURCE=${SOURCE}"
    "-DCMAKE_PREFIX_PATH=${outer_CMAKE_PREFIX_PATH}")
  expect_march("${WORK}/build" "-march=native")
endif()
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run(ctest --output-on-failure --no-tests=error --test-dir "${WORK}/build")
message("${output}")
