// SPDX-License-Identifier: Apache-2.0
/// @file
/// The differences between oneDNN 2.x and 3.x, and the sizes of one convolution in oneDNN's terms.
#ifndef COMODAL_ENGINE_ONEDNN_ADAPTER_HPP
#define COMODAL_ENGINE_ONEDNN_ADAPTER_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/engine/onednn/slabs.hpp>

#include <omp.h>
#include <dnnl.hpp>

#include <algorithm>
#include <compare>
#include <type_traits>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

template <class T>
inline constexpr dnnl::memory::data_type onednn_type =
    std::is_same_v<T, float> ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;

/// A convolution as oneDNN describes it: a whole problem, or one slab of it with its own padding along the depth.
struct onednn_convolution {
  index batch;
  extent3 in, out, filter, stride, pad_front, pad_back;
  index ci, co;
  dnnl::memory::data_type type;  // of maps and weights; gradients of weights are f32

  onednn_convolution(const conv3d_problem& p, dnnl::memory::data_type of)
      : batch(p.batch),
        in(p.input),
        out(p.output()),
        filter(p.filter),
        stride(p.stride),
        pad_front(p.pad_front),
        ci(p.in_channels),
        co(p.out_channels),
        type(of) {
    for (std::size_t a = 0; a < 3; ++a)
      pad_back[a] = std::max<index>(0, (out[a] - 1) * stride[a] + filter[a] - in[a] - pad_front[a]);
  }
  onednn_convolution(const conv3d_problem& p, const conv3d_slab& slab, dnnl::memory::data_type of)
      : onednn_convolution(p, of) {
    batch = 1;
    in[0] = slab.in_last - slab.in_first;
    out[0] = slab.out_last - slab.out_first;
    pad_front[0] = slab.pad_front;
    pad_back[0] = std::max<index>(0, slab.pad_back);
  }
  friend auto operator<=>(const onednn_convolution&, const onednn_convolution&) = default;
};

inline dnnl::memory::dims onednn_dims(const extent3& e) { return {e[0], e[1], e[2]}; }
inline dnnl::memory::desc onednn_map(const onednn_convolution& s, const extent3& size, index channels) {
  return {{s.batch, channels, size[0], size[1], size[2]}, s.type, dnnl::memory::format_tag::ndhwc};
}
inline dnnl::memory::desc onednn_in(const onednn_convolution& s) { return onednn_map(s, s.in, s.ci); }
inline dnnl::memory::desc onednn_out(const onednn_convolution& s) { return onednn_map(s, s.out, s.co); }
inline dnnl::memory::desc onednn_weights(const onednn_convolution& s, dnnl::memory::data_type type,
                                         dnnl::memory::format_tag tag = dnnl::memory::format_tag::dhwio) {
  return {{s.co, s.ci, s.filter[0], s.filter[1], s.filter[2]}, type, tag};
}
inline dnnl::memory::desc onednn_any_weights(const onednn_convolution& s) {
  return onednn_weights(s, s.type, dnnl::memory::format_tag::any);
}
inline dnnl::memory::desc onednn_any_gradient(const onednn_convolution& s) {
  return onednn_weights(s, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
}

inline dnnl::primitive_attr onednn_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

#if DNNL_VERSION_MAJOR >= 3
inline auto onednn_forward(const dnnl::engine& engine, const onednn_convolution& s) {
  return dnnl::convolution_forward::primitive_desc(
      engine, dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, onednn_in(s),
      onednn_any_weights(s), onednn_out(s), onednn_dims(s.stride), onednn_dims(s.pad_front), onednn_dims(s.pad_back),
      onednn_attributes());
}
inline auto onednn_backward_data(const dnnl::engine& engine, const onednn_convolution& s) {
  return dnnl::convolution_backward_data::primitive_desc(engine, dnnl::algorithm::convolution_direct, onednn_in(s),
                                                         onednn_any_weights(s), onednn_out(s), onednn_dims(s.stride),
                                                         onednn_dims(s.pad_front), onednn_dims(s.pad_back),
                                                         onednn_forward(engine, s), onednn_attributes());
}
inline auto onednn_backward_weights(const dnnl::engine& engine, const onednn_convolution& s) {
  return dnnl::convolution_backward_weights::primitive_desc(
      engine, dnnl::algorithm::convolution_direct, onednn_in(s), onednn_any_gradient(s), onednn_out(s),
      onednn_dims(s.stride), onednn_dims(s.pad_front), onednn_dims(s.pad_back), onednn_forward(engine, s),
      onednn_attributes());
}
#else
inline auto onednn_forward(const dnnl::engine& engine, const onednn_convolution& s) {
  const dnnl::convolution_forward::desc d(dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct,
                                          onednn_in(s), onednn_any_weights(s), onednn_out(s), onednn_dims(s.stride),
                                          onednn_dims(s.pad_front), onednn_dims(s.pad_back));
  return dnnl::convolution_forward::primitive_desc(d, onednn_attributes(), engine);
}
inline auto onednn_backward_data(const dnnl::engine& engine, const onednn_convolution& s) {
  const dnnl::convolution_backward_data::desc d(dnnl::algorithm::convolution_direct, onednn_in(s),
                                                onednn_any_weights(s), onednn_out(s), onednn_dims(s.stride),
                                                onednn_dims(s.pad_front), onednn_dims(s.pad_back));
  return dnnl::convolution_backward_data::primitive_desc(d, onednn_attributes(), engine, onednn_forward(engine, s));
}
inline auto onednn_backward_weights(const dnnl::engine& engine, const onednn_convolution& s) {
  const dnnl::convolution_backward_weights::desc d(dnnl::algorithm::convolution_direct, onednn_in(s),
                                                   onednn_any_gradient(s), onednn_out(s), onednn_dims(s.stride),
                                                   onednn_dims(s.pad_front), onednn_dims(s.pad_back));
  return dnnl::convolution_backward_weights::primitive_desc(d, onednn_attributes(), engine, onednn_forward(engine, s));
}
#endif

inline dnnl::primitive onednn_make(const dnnl::convolution_forward::primitive_desc& d) {
  return dnnl::convolution_forward(d);
}
inline dnnl::primitive onednn_make(const dnnl::convolution_backward_data::primitive_desc& d) {
  return dnnl::convolution_backward_data(d);
}
inline dnnl::primitive onednn_make(const dnnl::convolution_backward_weights::primitive_desc& d) {
  return dnnl::convolution_backward_weights(d);
}

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
