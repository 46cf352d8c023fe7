// SPDX-License-Identifier: Apache-2.0
/// @file
/// The xtensor headers of the reference engine, flat (up to 0.25) or in folders (from 0.26), and the passage between
/// raw memory and arrays. Everything is computed in double, whatever the scalar of the back end.
#ifndef COMODAL_ENGINE_REFERENCE_XTENSOR_HPP
#define COMODAL_ENGINE_REFERENCE_XTENSOR_HPP

#include <comodal/core/context.hpp>

#if __has_include(<xtensor/containers/xadapt.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/core/xnoalias.hpp>
#include <xtensor/core/xvectorize.hpp>
#include <xtensor/generators/xbuilder.hpp>
#include <xtensor/misc/xmanipulation.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xbuilder.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xvectorize.hpp>
#include <xtensor/xview.hpp>
#endif
#include <xtensor-blas/xlinalg.hpp>

#include <cstddef>
#include <vector>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

using reference_array = xt::xarray<double>;
using reference_shape = std::vector<std::size_t>;

inline reference_shape reference_extents(const shape& s) {
  reference_shape extents;
  for (int a = 0; a < s.rank(); ++a) extents.push_back(static_cast<std::size_t>(s[a]));
  return extents;
}

/// The memory at `data` as an xtensor array of the given extents, row-major, not owned.
template <class T>
auto reference_view(T* data, const shape& extents) {
  return xt::adapt(data, static_cast<std::size_t>(extents.size()), xt::no_ownership(), reference_extents(extents));
}

/// The values at `data` in double.
template <class T>
reference_array reference_read(const T* data, const shape& extents) {
  return xt::cast<double>(reference_view(data, extents));
}

/// Writes the elements of an expression to `data`, rounded to its scalar.
template <class T, class Expression>
void reference_write(T* data, const shape& extents, const Expression& values) {
  auto out = reference_view(data, extents);
  xt::noalias(out) = xt::cast<T>(values);
}

/// An expression as a matrix with the given number of columns.
template <class Expression>
reference_array reference_matrix(const Expression& values, index columns) {
  reference_array matrix = values;
  matrix.reshape({matrix.size() / static_cast<std::size_t>(columns), static_cast<std::size_t>(columns)});
  return matrix;
}

/// A matrix product as an array of the given extents.
inline reference_array reference_product(const reference_array& a, const reference_array& b, const shape& extents) {
  reference_array product = xt::linalg::dot(a, b);
  product.reshape(reference_extents(extents));
  return product;
}

/// Every step-th voxel of an image (N, D, H, W, C) from `first` on, `count` of them along each axis.
template <class Image>
auto reference_voxels(Image& image, const extent3& first, const extent3& count, const extent3& step) {
  const auto range = [&](std::size_t a) {
    return xt::range(first[a], first[a] + (count[a] - 1) * step[a] + 1, step[a]);
  };
  return xt::view(image, xt::all(), range(0), range(1), range(2), xt::all());
}

/// Calls `body` with every position of a filter or window, the last axis fastest.
template <class Body>
void reference_taps(const extent3& filter, const Body& body) {
  for (index d = 0; d < filter[0]; ++d)
    for (index h = 0; h < filter[1]; ++h)
      for (index w = 0; w < filter[2]; ++w) body(extent3{d, h, w});
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
