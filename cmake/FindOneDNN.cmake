# oneDNN on the host. Debian's own package file forces OpenCL and multi-arch paths that do not exist, hence this module.
# OneDNN_ROOT names a prefix with include/ and lib/, for example a Python environment with PyPI's onednn-cpu-gomp and onednn-devel-cpu-gomp.
# A build for another CPU runtime than OpenMP or none is not taken: the engine sets threads through OpenMP.
# Defines OneDNN_FOUND, OneDNN_VERSION, OneDNN_CPU_RUNTIME (OMP or SEQ) and the target OneDNN::OneDNN.
find_path(OneDNN_INCLUDE_DIR dnnl.hpp)
find_library(OneDNN_LIBRARY NAMES dnnl)
if(OneDNN_INCLUDE_DIR)
  find_file(OneDNN_VERSION_HEADER NAMES oneapi/dnnl/dnnl_version.h dnnl_version.h PATHS "${OneDNN_INCLUDE_DIR}" NO_DEFAULT_PATH)
  if(OneDNN_VERSION_HEADER)
    file(STRINGS "${OneDNN_VERSION_HEADER}" _lines REGEX "#define DNNL_VERSION_(MAJOR|MINOR|PATCH)")
    string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2.\\3" OneDNN_VERSION "${_lines}")
  endif()
  find_file(OneDNN_CONFIG_HEADER NAMES oneapi/dnnl/dnnl_config.h dnnl_config.h PATHS "${OneDNN_INCLUDE_DIR}" NO_DEFAULT_PATH)
  if(OneDNN_CONFIG_HEADER)
    file(STRINGS "${OneDNN_CONFIG_HEADER}" _lines REGEX "#define DNNL_CPU_RUNTIME +DNNL_RUNTIME_[A-Z]+")
    string(REGEX REPLACE ".*DNNL_RUNTIME_([A-Z]+).*" "\\1" OneDNN_CPU_RUNTIME "${_lines}")
    if(OneDNN_CPU_RUNTIME MATCHES "^(OMP|SEQ)$")
      set(_onednn_runtime_serves TRUE)
    else()
      string(CONCAT OneDNN_NOT_FOUND_MESSAGE "oneDNN ${OneDNN_VERSION} in ${OneDNN_INCLUDE_DIR} was built for the CPU runtime "
        "'${OneDNN_CPU_RUNTIME}', comodal needs one for OpenMP (OMP) or a single thread (SEQ)")
    endif()
  endif()
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR _onednn_runtime_serves VERSION_VAR OneDNN_VERSION
  REASON_FAILURE_MESSAGE "${OneDNN_NOT_FOUND_MESSAGE}")
if(OneDNN_FOUND AND NOT TARGET OneDNN::OneDNN)
  add_library(OneDNN::OneDNN UNKNOWN IMPORTED)
  set_target_properties(OneDNN::OneDNN PROPERTIES
    IMPORTED_LOCATION "${OneDNN_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OneDNN_INCLUDE_DIR}")
endif()
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY OneDNN_VERSION_HEADER OneDNN_CONFIG_HEADER)
