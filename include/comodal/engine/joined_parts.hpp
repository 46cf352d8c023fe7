// SPDX-License-Identifier: Apache-2.0
/// @file
/// Maps side by side as one map, for engines that take whole maps only.
#ifndef COMODAL_ENGINE_JOINED_PARTS_HPP
#define COMODAL_ENGINE_JOINED_PARTS_HPP

#include <comodal/core/context.hpp>
#include <comodal/engine/loops/rearrange.hpp>
#include <comodal/engine/problem/conv3d.hpp>

#include <cstdint>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// True if anybody wants the gradient of an input.
template <class T>
[[nodiscard]] bool any_wanted(const conv3d_problem::arguments<T>& a) {
  for (const auto& part : a.maps())
    if (part.data) return true;
  return false;
}

/// The inputs of a convolution as one map (N, D, H, W, in). A single map is taken as it is. Several are copied into
/// workspace, forward and for the gradient of the weights; after `direction::backward`, `split` copies the gradient
/// out.
template <tensor_backend Backend>
class joined_parts {
 public:
  using T = typename Backend::scalar_type;
  using arguments = conv3d_problem::arguments<T>;

  /// @param a lives as long as this object
  /// @param alignment a single map that does not begin at a multiple of so many bytes is copied, too
  joined_parts(context<Backend>& ctx, const conv3d_problem& p, direction d, const arguments& a, index alignment = 1)
      : m_context(&ctx), m_arguments(&a), m_voxels(p.input_shape().product(0, 4)), m_channels(p.in_channels) {
    if (a.parts == 1 && a.x[0].data && reinterpret_cast<std::uintptr_t>(a.x[0].data) % alignment == 0) return;
    m_joined = ctx.make(p.input_shape());
    if (d != direction::backward)
      each([&](T* part, index channels, index first) {
        copy(part, channels, m_joined.data() + first, m_channels, channels);
      });
  }
  [[nodiscard]] T* data() const { return m_joined ? m_joined.data() : m_arguments->x[0].data; }

  /// Copies what was written into the parts whose gradient is wanted.
  void split() const {
    if (!m_joined) return;
    each([&](T* part, index channels, index first) {
      copy(m_joined.data() + first, m_channels, part, channels, channels);
    });
  }

 private:
  template <class Body>
  void each(const Body& body) const {
    index first = 0;
    for (const auto& part : m_arguments->maps()) {
      if (part.data) body(part.data, part.channels, first);
      first += part.channels;
    }
  }
  void copy(const T* from, index from_pitch, T* to, index to_pitch, index channels) const {
    for_rows(m_context->space(), 1, m_voxels, channels, copy_block_body<T, false>{from, to, from_pitch, to_pitch});
  }

  context<Backend>* m_context;
  const arguments* m_arguments;
  index m_voxels, m_channels;
  typename context<Backend>::tensor_type m_joined;
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
