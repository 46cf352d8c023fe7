# The NIfTI C library (libnifti2). Distributions ship a package file with broken paths, hence this module.
# Defines NIFTI2_FOUND and the target NIFTI2::NIFTI2.
find_path(NIFTI2_INCLUDE_DIR nifti2_io.h PATH_SUFFIXES nifti)
find_library(NIFTI2_LIBRARY NAMES nifti2)
find_library(NIFTI2_ZNZ_LIBRARY NAMES znz)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(NIFTI2 REQUIRED_VARS NIFTI2_LIBRARY NIFTI2_INCLUDE_DIR)
if(NIFTI2_FOUND AND NOT TARGET NIFTI2::NIFTI2)
  add_library(NIFTI2::NIFTI2 UNKNOWN IMPORTED)
  set_target_properties(NIFTI2::NIFTI2 PROPERTIES
    IMPORTED_LOCATION "${NIFTI2_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${NIFTI2_INCLUDE_DIR}")
  if(NIFTI2_ZNZ_LIBRARY)
    set_property(TARGET NIFTI2::NIFTI2 PROPERTY INTERFACE_LINK_LIBRARIES "${NIFTI2_ZNZ_LIBRARY}")
  endif()
endif()
mark_as_advanced(NIFTI2_INCLUDE_DIR NIFTI2_LIBRARY NIFTI2_ZNZ_LIBRARY)
