# cuDNN 9: NVIDIA's library of convolutions. CUDNN_ROOT names a prefix with include/ and lib/: that of the CUDA toolkit, or the folder
# nvidia/cudnn of a Python environment with PyPI's nvidia-cudnn-cu13. Its headers need those of the CUDA runtime.
# Defines CUDNN_FOUND, CUDNN_VERSION and the target CUDNN::CUDNN.
set(_cudnn_places "$ENV{CUDA_HOME}" "$ENV{CUDA_PATH}" /usr/local/cuda)
find_path(CUDNN_INCLUDE_DIR cudnn_graph.h PATHS ${_cudnn_places} PATH_SUFFIXES include)
find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 NAMES_PER_DIR HINTS "${CUDNN_INCLUDE_DIR}/../lib64" "${CUDNN_INCLUDE_DIR}/../lib" PATHS ${_cudnn_places} PATH_SUFFIXES lib64 lib)
find_path(CUDNN_CUDA_INCLUDE_DIR cuda_runtime_api.h HINTS "${CUDNN_INCLUDE_DIR}" "${CUDNN_INCLUDE_DIR}/../../cu13/include"
  "${CUDNN_INCLUDE_DIR}/../../cuda_runtime/include" PATHS ${_cudnn_places} PATH_SUFFIXES include)
if(CUDNN_INCLUDE_DIR AND EXISTS "${CUDNN_INCLUDE_DIR}/cudnn_version.h")
  file(STRINGS "${CUDNN_INCLUDE_DIR}/cudnn_version.h" _lines REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) ")
  string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2.\\3" CUDNN_VERSION "${_lines}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNN REQUIRED_VARS CUDNN_LIBRARY CUDNN_INCLUDE_DIR CUDNN_CUDA_INCLUDE_DIR VERSION_VAR CUDNN_VERSION)
if(CUDNN_FOUND AND NOT TARGET CUDNN::CUDNN)
  add_library(CUDNN::CUDNN UNKNOWN IMPORTED)
  set_target_properties(CUDNN::CUDNN PROPERTIES
    IMPORTED_LOCATION "${CUDNN_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${CUDNN_INCLUDE_DIR};${CUDNN_CUDA_INCLUDE_DIR}")
endif()
mark_as_advanced(CUDNN_INCLUDE_DIR CUDNN_LIBRARY CUDNN_CUDA_INCLUDE_DIR)
