// SPDX-License-Identifier: Apache-2.0
/// @file
/// How F(4x4, 3x3) runs on the host: the tasks of a convolution and of its weight gradient, by blocks or in steps.
#ifndef COMODAL_ENGINE_HOST_WINOGRAD_TASKS_HPP
#define COMODAL_ENGINE_HOST_WINOGRAD_TASKS_HPP

#include <comodal/engine/host/winograd_weights.hpp>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

template <class C, class T, weight_order Order>
struct winograd_pack_task {
  conv3d_sizes s;
  const T* w;
  C* packed;
  void operator()(index kd) const { winograd_pack<Order>(s, w, packed, kd); }
};

// F(4x4, 3x3) forward: what its tasks share. Products of a block of output channels are (points, output tiles, width).
template <class C, class T>
struct winograd_work {
  conv3d_sizes s;
  winograd_blocks blocks;
  conv3d_part<T> parts[most_parts];
  int number;
  const C* packed;
  const T *bias, *zeros;
  T* y;

  // Elements of the scratch memory of a block: transformed inputs, then products of all output channels, or of the
  // widest block of them.
  [[nodiscard]] index input_elements() const { return blocks.input_elements(s); }
  [[nodiscard]] index product_elements(bool all) const {
    return blocks.output_elements(tile_columns) * (all ? for_winograd_channels(s.co, [](auto, auto) {}) : 1);
  }

  void inputs(const winograd_block& at, C* to, index plane) const {
    winograd_inputs(s, at, parts, number, zeros, to, plane);
  }
  template <int Columns>
  void products(const winograd_block& at, const C* in, const winograd_channels& channels, index t, C* out) const {
    winograd_products<Columns>(s, at, in, packed + channels.before * winograd_points * s.filter[0] * s.ci, t,
                               out + t * at.output_step(Columns));
  }
  template <int Columns>
  void results(const winograd_block& at, const C* products, const winograd_channels& channels, index plane) const {
    const index c = channels.first;
    winograd_results<Columns>(s, at, products, bias ? bias + c : nullptr, std::min<index>(Columns, s.co - c), y + c,
                              plane);
  }
};

// One block of many, by one thread.
template <class C, class T>
struct winograd_block_task {
  winograd_work<C, T> work;
  C* scratch;  // of each worker
  void operator()(index worker, index block) const {
    const winograd_block at(work.s, work.blocks, block);
    C* const in = scratch + worker * (work.input_elements() + work.product_elements(false));
    C* const products = in + work.input_elements();
    for (index plane = 0; plane < at.samples() * at.planes(); ++plane) work.inputs(at, in, plane);
    for_winograd_channels(work.s.co, [&](const winograd_channels& channels, auto width) {
      constexpr int columns = decltype(width)::value;
      for (int t = 0; t < winograd_points; ++t) work.template products<columns>(at, in, channels, t, products);
      for (index plane = 0; plane < at.samples() * at.depth(); ++plane)
        work.template results<columns>(at, products, channels, plane);
    });
  }
};

// The one block that is everything, in three steps: planes of inputs, then points, then planes of outputs.
template <class C, class T>
struct winograd_inputs_task {
  winograd_work<C, T> work;
  winograd_block at;
  C* to;
  void operator()(index plane) const { work.inputs(at, to, plane); }
};
template <class C, class T>
struct winograd_products_task {
  winograd_work<C, T> work;
  winograd_block at;
  const C* in;
  C* out;
  void operator()(index t) const {
    for_winograd_channels(work.s.co, [&](const winograd_channels& channels, auto width) {
      work.template products<decltype(width)::value>(at, in, channels, t,
                                                     out + channels.number * work.product_elements(false));
    });
  }
};
template <class C, class T>
struct winograd_results_task {
  winograd_work<C, T> work;
  winograd_block at;
  const C* products;
  void operator()(index plane) const {
    for_winograd_channels(work.s.co, [&](const winograd_channels& channels, auto width) {
      work.template results<decltype(width)::value>(at, products + channels.number * work.product_elements(false),
                                                    channels, plane);
    });
  }
};

// The weight gradient: what its tasks share.
template <class C, class T>
struct winograd_weights_work {
  conv3d_sizes s;
  winograd_blocks blocks;
  conv3d_part<T> parts[most_parts];
  int number;
  const T *dy, *zeros;

  [[nodiscard]] index input_elements() const { return blocks.input_elements(s); }
  [[nodiscard]] index gradient_elements() const { return blocks.output_elements(s.co); }
  // Plane `task` of inputs, or behind them of gradients.
  void transform(const winograd_block& at, C* in, C* gradients, index task) const {
    const index planes = at.samples() * at.planes();
    if (task < planes)
      winograd_inputs(s, at, parts, number, zeros, in, task);
    else
      winograd_gradients(s, at, dy, zeros, gradients, task - planes);
  }
  [[nodiscard]] index transforms(const winograd_block& at) const { return at.samples() * (at.planes() + at.depth()); }
};

// One slab of the weight gradient: some blocks, in order.
template <class C, class T>
struct winograd_weights_slab_task {
  winograd_weights_work<C, T> work;
  C *scratch, *du;
  index slabs;
  void operator()(index worker, index slab) const {
    const index count = work.blocks.count(work.s), size = winograd_weights(work.s);
    C* const in = scratch + worker * (work.input_elements() + work.gradient_elements());
    C* const gradients = in + work.input_elements();
    std::fill_n(du + slab * size, size, C(0));
    for (index block = count * slab / slabs; block < count * (slab + 1) / slabs; ++block) {
      const winograd_block at(work.s, work.blocks, block);
      for (index task = 0; task < work.transforms(at); ++task) work.transform(at, in, gradients, task);
      for (int t = 0; t < winograd_points; ++t)
        for (index kd = 0; kd < work.s.filter[0]; ++kd)
          winograd_weight_products(work.s, at, in, gradients, t, kd, du + slab * size);
    }
  }
};

// The one block that is everything, in two steps: planes of inputs and of gradients, then points and taps along the
// depth.
template <class C, class T>
struct winograd_transform_task {
  winograd_weights_work<C, T> work;
  winograd_block at;
  C *in, *gradients;
  void operator()(index task) const { work.transform(at, in, gradients, task); }
};
template <class C, class T>
struct winograd_weight_products_task {
  conv3d_sizes s;
  winograd_block at;
  const C *in, *gradients;
  C* du;
  void operator()(index task) const {
    const index t = task / s.filter[0], kd = task % s.filter[0];
    std::fill_n(du + task * s.ci * s.co, s.ci * s.co, C(0));
    winograd_weight_products(s, at, in, gradients, t, kd, du);
  }
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
