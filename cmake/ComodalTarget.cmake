include("${CMAKE_CURRENT_LIST_DIR}/ComodalCompiler.cmake")

# comodal_march(<variable>): the value of -march= that COMODAL_ARCH stands for; empty where the project's own flags decide.
# "portable" is x86-64-v3 (AVX2, FMA) on x86-64 and empty on other processors, where the compiler's choice is portable.
function(comodal_march variable)
  set(_march "${COMODAL_ARCH}")
  if(_march STREQUAL "portable")
    set(_march "")
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
      set(_march x86-64-v3)
    endif()
  endif()
  set(${variable} "${_march}" PARENT_SCOPE)
endfunction()

# comodal_need(<found> <what> <package>): notes what was not found with the Debian package that has it. comodal_need() ends with one line
# of all that was noted.
function(comodal_need)
  get_property(_missing GLOBAL PROPERTY COMODAL_MISSING)
  if(ARGC EQUAL 0)
    if(_missing)
      set_property(GLOBAL PROPERTY COMODAL_MISSING)
      list(JOIN _missing ", " _words)
      message(FATAL_ERROR " comodal: missing: ${_words}; install these packages, or name the prefix that has them by CMAKE_PREFIX_PATH: "
        "docs/getting-started/install.md")
    endif()
  elseif(NOT ARGV0)
    list(APPEND _missing "${ARGV1} (Debian: ${ARGV2})")
    list(REMOVE_DUPLICATES _missing)
    set_property(GLOBAL PROPERTY COMODAL_MISSING "${_missing}")
  endif()
endfunction()

# comodal_find_cli() and comodal_find_reference(): what comodal::cli and comodal::reference need beside comodal::comodal.
macro(comodal_find_cli)
  find_path(COMODAL_TOML11_INCLUDE_DIR NAMES toml.hpp PATH_SUFFIXES toml11)
  find_path(COMODAL_CLI11_INCLUDE_DIR CLI/CLI.hpp)
  comodal_need("${COMODAL_TOML11_INCLUDE_DIR}" toml11 libtoml11-dev)
  comodal_need("${COMODAL_CLI11_INCLUDE_DIR}" CLI11 libcli11-dev)
endmacro()
macro(comodal_find_reference)
  find_package(BLAS)
  find_package(LAPACK)
  find_path(COMODAL_XTENSOR_INCLUDE_DIR NAMES xtensor/xadapt.hpp xtensor/containers/xadapt.hpp)
  comodal_need("${BLAS_FOUND}" BLAS libopenblas-dev)
  comodal_need("${LAPACK_FOUND}" LAPACK liblapack-dev)
  comodal_need("${COMODAL_XTENSOR_INCLUDE_DIR}" xtensor "libxtensor-dev libxtensor-blas-dev")
endmacro()

# comodal_define_target(<name>): the INTERFACE target comodal::<name> with everything that a program needs:
# Kokkos, OpenMP, the NIfTI C library, zlib, Random123, and oneDNN and cuDNN where they are wanted and found.
# Used by the project itself and by the installed package, which adds IMPORTED, so that both carry the same flags.
function(comodal_define_target name)
  comodal_check_compiler("${CMAKE_CXX_COMPILER_ID}" "${CMAKE_CXX_COMPILER_VERSION}")
  find_package(ComodalKokkos MODULE QUIET)
  find_package(OpenMP COMPONENTS CXX)
  find_package(ZLIB)
  find_package(NIFTI2 MODULE)
  find_path(COMODAL_RANDOM123_INCLUDE_DIR Random123/philox.h)
  find_path(COMODAL_JSON_INCLUDE_DIR nlohmann/json.hpp)
  find_path(COMODAL_STB_INCLUDE_DIR stb_image_write.h PATH_SUFFIXES stb)
  comodal_need("${ComodalKokkos_FOUND}" Kokkos "libtrilinos-kokkos-dev, or set Kokkos_ROOT")
  comodal_need("${OpenMP_CXX_FOUND}" "OpenMP of the compiler" "in g++, for Clang 19 libomp-19-dev")
  comodal_need("${ZLIB_FOUND}" zlib zlib1g-dev)
  comodal_need("${NIFTI2_FOUND}" "the NIfTI C library" libnifti2-dev)
  comodal_need("${COMODAL_RANDOM123_INCLUDE_DIR}" Random123 librandom123-dev)
  comodal_need("${COMODAL_JSON_INCLUDE_DIR}" "JSON for C++" nlohmann-json3-dev)
  comodal_need("${COMODAL_STB_INCLUDE_DIR}" stb libstb-dev)
  # What is wanted besides is looked for here, so that all that is missing is said at once.
  if(COMODAL_CLI OR "cli" IN_LIST comodal_FIND_COMPONENTS)
    comodal_find_cli()
  endif()
  if(COMODAL_REFERENCE OR "reference" IN_LIST comodal_FIND_COMPONENTS)
    comodal_find_reference()
  endif()
  comodal_need()

  if(COMODAL_REQUIRE_BACKEND AND NOT "${COMODAL_REQUIRE_BACKEND}" IN_LIST COMODAL_KOKKOS_BACKENDS)
    message(FATAL_ERROR "comodal: this build asks for the Kokkos back end ${COMODAL_REQUIRE_BACKEND}, but the Kokkos that was "
      "found (${COMODAL_KOKKOS_VERSION}) provides ${COMODAL_KOKKOS_BACKENDS}. Set Kokkos_ROOT to one that has it.")
  endif()

  if("CUDA" IN_LIST COMODAL_KOKKOS_BACKENDS OR "HIP" IN_LIST COMODAL_KOKKOS_BACKENDS)
    if(COMODAL_KOKKOS_VERSION VERSION_LESS 4.6)
      message(FATAL_ERROR "comodal: device code needs Kokkos 4.6 or newer (4.7.01 for CUDA 13), found ${COMODAL_KOKKOS_VERSION}.")
    endif()
  endif()

  # The flag that CMake believes in may not reach the compiler: CMake before 3.25.2 passes none to nvcc and says nothing.
  # Kokkos' package sets a standard of its own; the check must not take it.
  include(CheckCXXSourceCompiles)
  set(CMAKE_CXX_STANDARD 20)
  set(CMAKE_REQUIRED_FLAGS "${CMAKE_CXX20_STANDARD_COMPILE_OPTION}")
  check_cxx_source_compiles("template <class T> requires (sizeof(T) > 1) T half(T x) { return x / 2; } int main() { return half(0); }"
    COMODAL_CXX20_WORKS)
  if(NOT COMODAL_CXX20_WORKS)
    message(FATAL_ERROR "comodal: ${CMAKE_CXX_COMPILER} does not compile a requires clause with '${CMAKE_CXX20_STANDARD_COMPILE_OPTION}'. "
      "comodal needs C++20 (GCC 12, Clang 14, nvcc 13 through Kokkos' nvcc_wrapper, or newer).")
  endif()

  if("IMPORTED" IN_LIST ARGN)
    add_library(comodal::${name} INTERFACE IMPORTED)
    set(name comodal::${name})
  else()
    add_library(${name} INTERFACE)
    add_library(comodal::${name} ALIAS ${name})
  endif()
  target_compile_features(${name} INTERFACE cxx_std_20)
  target_include_directories(${name} SYSTEM INTERFACE "${COMODAL_RANDOM123_INCLUDE_DIR}" "${COMODAL_JSON_INCLUDE_DIR}"
    "${COMODAL_STB_INCLUDE_DIR}")
  target_link_libraries(${name} INTERFACE comodal_kokkos OpenMP::OpenMP_CXX ZLIB::ZLIB NIFTI2::NIFTI2)
  # One rule for contraction, so that one binary has one rounding; no value-changing option is ever added.
  target_compile_options(${name} INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=fast>"
    "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-math-errno;-fno-trapping-math>")
  comodal_march(_march)
  if(_march)
    if(COMODAL_MULTIARCH)
      # A library of ComodalMultiarch.cmake says by a property what it is built for.
      set(_level "$<TARGET_PROPERTY:COMODAL_LEVEL>")
      set(_march "$<IF:$<BOOL:${_level}>,${_level},${_march}>")
    endif()
    target_compile_options(${name} INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-march=${_march}>"
      "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-mprefer-vector-width=512>")
    target_compile_definitions(${name} INTERFACE "COMODAL_ARCH_NAME=\"${_march}\"")
  endif()

  comodal_march(_march)
  set(_flags "-march=${_march}")
  if(NOT _march)
    set(_flags "no -march (COMODAL_ARCH=portable or native makes it faster)")
  endif()

  set(_onednn "off")
  if("CUDA" IN_LIST COMODAL_KOKKOS_BACKENDS)
    # nvcc 13.0 hands the host compiler typedefs of its own that nothing uses.
    target_compile_options(${name} INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wno-unused-local-typedefs>")
    # nvcc 13.0 ends in an internal error on dnnl.hpp.
    if(COMODAL_ONEDNN STREQUAL "ON")
      message(FATAL_ERROR "comodal: COMODAL_ONEDNN is ON, but nvcc cannot compile oneDNN's header. Set it to AUTO or OFF for CUDA.")
    endif()
  elseif(NOT COMODAL_ONEDNN STREQUAL "OFF")
    find_package(OneDNN MODULE QUIET)
    if(OneDNN_FOUND)
      target_link_libraries(${name} INTERFACE OneDNN::OneDNN)
      target_compile_definitions(${name} INTERFACE COMODAL_ENABLE_ONEDNN)
      set(_onednn "${OneDNN_VERSION}")
    elseif(COMODAL_ONEDNN STREQUAL "ON")
      if(NOT OneDNN_NOT_FOUND_MESSAGE)
        set(OneDNN_NOT_FOUND_MESSAGE "dnnl.hpp and libdnnl were not found")
      endif()
      message(FATAL_ERROR "comodal: COMODAL_ONEDNN is ON, but ${OneDNN_NOT_FOUND_MESSAGE}. Install libdnnl-dev, set OneDNN_ROOT, or set it to AUTO or OFF.")
    else()
      set(_onednn "not found")
      if(NOT OneDNN_NOT_FOUND_MESSAGE)
        set(OneDNN_NOT_FOUND_MESSAGE "oneDNN was not found (Debian: libdnnl-dev)")
      endif()
      message(STATUS "comodal: ${OneDNN_NOT_FOUND_MESSAGE}: convolutions run on the project's own kernels")
    endif()
  endif()
  set(_vendors "oneDNN ${_onednn}")
  if("CUDA" IN_LIST COMODAL_KOKKOS_BACKENDS)
    comodal_add_cudnn(${name} _vendors)
  elseif(COMODAL_CUDNN STREQUAL "ON")
    message(FATAL_ERROR "comodal: COMODAL_CUDNN is ON, but the Kokkos that was found provides ${COMODAL_KOKKOS_BACKENDS}, not CUDA. Set Kokkos_ROOT to one that has it.")
  endif()
  message(STATUS "comodal: Kokkos ${COMODAL_KOKKOS_VERSION} (${COMODAL_KOKKOS_BACKENDS}), ${_vendors}, ${_flags}")
endfunction()

# comodal_add_cudnn(<name> <words>): cuDNN for the target, where it is wanted and found; appends what was found to the variable <words>.
function(comodal_add_cudnn name words)
  if(COMODAL_CUDNN STREQUAL "OFF")
    return()
  endif()
  find_package(CUDNN 9.11 MODULE QUIET)
  if(CUDNN_FOUND)
    target_link_libraries(${name} INTERFACE CUDNN::CUDNN)
    target_compile_definitions(${name} INTERFACE COMODAL_ENABLE_CUDNN)
    set(${words} "${${words}}, cuDNN ${CUDNN_VERSION}" PARENT_SCOPE)
    return()
  endif()
  set(_found "cuDNN was not found")
  if(CUDNN_VERSION)
    set(_found "cuDNN ${CUDNN_VERSION} is too old")
  endif()
  if(COMODAL_CUDNN STREQUAL "ON")
    message(FATAL_ERROR "comodal: COMODAL_CUDNN is ON, but ${_found}. Install cuDNN 9.16 or newer (9.11 compiles, but its bf16 and TF32 are refused), set CUDNN_ROOT, or set it to AUTO or OFF.")
  endif()
  message(WARNING "comodal: ${_found}: convolutions run on our own kernels, which use no tensor cores. Install cuDNN 9.16 or newer, or set CUDNN_ROOT.")
  set(${words} "${${words}}, no cuDNN" PARENT_SCOPE)
endfunction()

# comodal_define_reference(): the INTERFACE target comodal::reference: comodal::comodal, and xtensor, xtensor-blas, BLAS and LAPACK, which
# the reference engine (engine/reference.hpp) alone needs.
function(comodal_define_reference)
  if(TARGET comodal::reference)
    return()
  endif()
  comodal_find_reference()
  comodal_need()
  add_library(comodal::reference INTERFACE IMPORTED GLOBAL)
  target_include_directories(comodal::reference SYSTEM INTERFACE "${COMODAL_XTENSOR_INCLUDE_DIR}")
  target_link_libraries(comodal::reference INTERFACE comodal::comodal LAPACK::LAPACK BLAS::BLAS)
endfunction()

# comodal_define_cli(): the INTERFACE target comodal::cli: comodal::comodal, and toml11 and CLI11, which the layers app and cli alone
# need.
function(comodal_define_cli)
  if(TARGET comodal::cli)
    return()
  endif()
  comodal_find_cli()
  comodal_need()
  add_library(comodal::cli INTERFACE IMPORTED GLOBAL)
  target_include_directories(comodal::cli SYSTEM INTERFACE "${COMODAL_TOML11_INCLUDE_DIR}" "${COMODAL_CLI11_INCLUDE_DIR}")
  target_link_libraries(comodal::cli INTERFACE comodal::comodal)
endfunction()

# _comodal_check_compiled(): writes down with what the compiled libraries of this build folder are compiled, or compares
# it with what those of COMODAL_COMPILED_FOLDER were.
function(_comodal_check_compiled)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" _config)
  set(_processor)
  if(COMODAL_ARCH STREQUAL "native")
    cmake_host_system_information(RESULT _processor QUERY PROCESSOR_NAME)
  endif()
  string(JOIN " " _now ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} "COMODAL_ARCH=${COMODAL_ARCH}" ${_processor}
    ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${_config}} "COMODAL_ONEDNN=${COMODAL_ONEDNN}")
  if(NOT COMODAL_COMPILED_FOLDER)
    file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/comodal_compiled.txt" CONTENT "${_now}" @ONLY)
    return()
  endif()
  set(_file "${COMODAL_COMPILED_FOLDER}/comodal_compiled.txt")
  if(NOT EXISTS "${_file}")
    message(FATAL_ERROR
      " comodal: COMODAL_COMPILED_FOLDER=${COMODAL_COMPILED_FOLDER} has no comodal_compiled.txt; expected the build folder of a comodal of this version")
  endif()
  file(READ "${_file}" _then)
  if(NOT _then STREQUAL _now)
    message(FATAL_ERROR "comodal: the libraries in COMODAL_COMPILED_FOLDER were compiled otherwise than this project.\n"
      "  there: ${_then}\n  here:  ${_now}\n"
      "Use the same compiler and flags, or leave COMODAL_COMPILED_FOLDER out.")
  endif()
endfunction()

# _comodal_compiled_library(<name> <unit>...): a static library comodal_<name>, alias comodal::<name>, which is built when something links it.
# A unit is "<file>|<headers>|<lists of templates>|<back end>", headers and lists with commas between them; lists of a
# unit without a back end take none. It links what _link holds.
# With COMODAL_COMPILED_FOLDER it is libcomodal_<name>.a of an earlier build with the same compiler and flags. One that is not there is
# an error of the build where something links it.
function(_comodal_compiled_library name)
  string(TOUPPER "COMODAL_${name}" _definition)
  if(name STREQUAL "compiled")
    set(_definition COMODAL_COMPILED_DEFAULT)
  endif()
  if(COMODAL_COMPILED_FOLDER)
    set(_library "${COMODAL_COMPILED_FOLDER}/libcomodal_${name}.a")
    if(NOT EXISTS "${_library}")
      message(STATUS "comodal: COMODAL_COMPILED_FOLDER has no libcomodal_${name}.a; who links comodal::${name} builds it: "
        "cmake --build ${COMODAL_COMPILED_FOLDER} --target comodal_${name}")
    endif()
    add_library(comodal::${name} STATIC IMPORTED GLOBAL)
    set_target_properties(comodal::${name} PROPERTIES IMPORTED_LOCATION "${_library}")
    target_compile_definitions(comodal::${name} INTERFACE ${_definition})
    target_link_libraries(comodal::${name} INTERFACE ${_link})
    return()
  endif()
  set(_files)
  foreach(_unit IN LISTS ARGN)
    string(REPLACE "|" ";" _unit "${_unit}")
    list(GET _unit 0 _file)
    list(GET _unit 1 _headers)
    list(GET _unit 2 _lists)
    list(GET _unit 3 _backend)
    string(REPLACE "," ";" _headers "${_headers}")
    string(REPLACE "," ";" _lists "${_lists}")
    list(TRANSFORM _headers REPLACE "(.+)" "#include <comodal/\\1.hpp>" OUTPUT_VARIABLE _lines)
    list(APPEND _lines "namespace comodal::inline COMODAL_CONFIG {")
    set(_arguments "template")
    if(_backend)
      list(APPEND _lines "using unit_backend = ${_backend}\\;")
      set(_arguments "template, unit_backend")
    endif()
    foreach(_list IN LISTS _lists)
      list(APPEND _lines "COMODAL_${_list}(${_arguments})")
    endforeach()
    list(JOIN _lines "\n" _lines)
    string(REPLACE "\\;" ";" _lines "${_lines}")
    set(_file "${CMAKE_CURRENT_BINARY_DIR}/comodal_${name}/${_file}.cpp")
    file(CONFIGURE OUTPUT "${_file}" CONTENT "${_lines}\n}\n" @ONLY)
    list(APPEND _files "${_file}")
  endforeach()
  add_library(comodal_${name} STATIC EXCLUDE_FROM_ALL ${_files})
  target_compile_definitions(comodal_${name} PUBLIC ${_definition})
  target_link_libraries(comodal_${name} PUBLIC ${_link})
  add_library(comodal::${name} ALIAS comodal_${name})
endfunction()

# comodal_define_compiled(): comodal::compiled, comodal::compiled_double and comodal::compiled_mixed, static libraries
# that hold the operations, networks, methods and optimisers of default_backend, double_backend and mixed_backend
# (core/compiled.hpp), and comodal::compiled_common, what they share: large functions that know no back end
# (COMODAL_ONCE, core/config.hpp). A program that links one compiles them no more. Each is built when something links
# it, here or in the project that found the package, with that project's compiler and flags.
function(comodal_define_compiled)
  if(TARGET comodal::compiled)
    return()  # the package was found in another folder of the project
  endif()
  _comodal_check_compiled()
  string(JOIN "," _common core/tensor data/data engine/dispatch engine/problem/all metric/metric model/model_file
    infer/predict_case report/report ssl/contrastive_mutual_learning_options train/run_plan)
  set(_link comodal::comodal)
  _comodal_compiled_library(compiled_common
    "common|${_common}|TENSOR,BATCH_MAKER|")
  if(TARGET comodal_compiled_common)
    get_target_property(_sources comodal_compiled_common SOURCES)
    set_source_files_properties(${_sources} PROPERTIES COMPILE_DEFINITIONS COMODAL_COMPILING_COMMON)
  endif()
  set(_convolution "autograd/convolution,autograd/gating|CONVOLUTION,GATING")
  string(CONCAT _operations "autograd/arithmetic,autograd/reduction,autograd/structure,nn/parameters"
    "|ARITHMETIC,REDUCTION,STRUCTURE,TAPE,PARAMETERS")
  set(_partner "bfloat16_backend<mixed_backend>")
  foreach(_name compiled compiled_double compiled_mixed)
    string(REGEX REPLACE "^compiled_?" "" _backend "${_name}")
    if(_backend STREQUAL "")
      set(_backend default)
    endif()
    string(APPEND _backend _backend)
    set(_more)
    set(_link comodal::compiled_common)
    if(_name STREQUAL "compiled_mixed")
      set(_more
        "convolution16|${_convolution}|${_partner}"
        "operations16|${_operations}|${_partner}"
        "entries16|model/network_registry|ENCODER_ENTRIES,FUSION_ENTRIES|${_partner}")
    endif()
    _comodal_compiled_library(${_name}
      "convolution|${_convolution}|${_backend}"
      "operations|${_operations}|${_backend}"
      "segmentation|autograd/segmentation,infer/plane_resampler,infer/sliding_window|SEGMENTATION,WINDOWS,SLIDING,PLANES|${_backend}"
      "network|model/make_network|ENCODER_ENTRIES,FUSION_ENTRIES,NETWORK_NAMES,NETWORK|${_backend}"
      "method|ssl/method_registry,train/optimiser_registry,train/training_step|LOSS,METHOD,OPTIMISER,TRAINING_STEPS|${_backend}"
      ${_more})
  endforeach()
endfunction()

# comodal_define_compiled_cli(): comodal::compiled_cli, the command line of mixed_backend compiled once, with comodal::cli and comodal::compiled_mixed.
function(comodal_define_compiled_cli)
  if(TARGET comodal::compiled_cli)
    return()
  endif()
  set(_link comodal::cli comodal::compiled_mixed)
  _comodal_compiled_library(compiled_cli
    "train|cli/commands|CLI_TRAIN|mixed_backend"
    "predict|cli/commands|CLI_PREDICT|mixed_backend"
    "run|cli/command_line|CLI_RUN|mixed_backend")
endfunction()
