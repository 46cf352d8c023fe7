// SPDX-License-Identifier: Apache-2.0
/// @file
/// The tasks that convolutions on the host are cut into: each runs on one thread.
#ifndef COMODAL_ENGINE_HOST_CONV3D_TASKS_HPP
#define COMODAL_ENGINE_HOST_CONV3D_TASKS_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/engine/host/conv3d_forward.hpp>
#include <comodal/engine/host/conv3d_weight_gradient.hpp>
#include <comodal/engine/host/gemm.hpp>
#include <comodal/engine/host/winograd_tasks.hpp>
#include <comodal/engine/loops/rearrange.hpp>

#include <algorithm>

namespace comodal::inline COMODAL_CONFIG::engine_detail {

template <class C, class T, weight_order Order>
struct pack_weights_task {
  conv3d_sizes s;
  const T* w;
  C* packed;
  void operator()(index tap) const { pack_weights<Order>(s, w, packed, tap); }
};

// The rows of `w` that a part reads, (taps, rows, out) -> (taps, out, rows).
template <class T>
struct transpose_task {
  conv3d_sizes s;
  const T* w;
  T* out;
  void operator()(index tap) const {
    for (index k = 0; k < s.ci; ++k)
      for (index c = 0; c < s.co; ++c)
        out[(tap * s.co + c) * s.ci + k] = w[(tap * s.w_rows + s.w_first + k) * s.co + c];
  }
};

// Some rows of outputs; `worker` names the scratch memory of the second form, for many tap rows.
template <class C, class T>
struct conv_row_task {
  conv3d_sizes s;
  conv3d_part<C> parts[most_parts];
  int number;
  const C *bias, *zeros;
  T* y;
  index grain;                 // rows per task
  tap_row<C>* many = nullptr;  // (workers, tap_rows())
  [[nodiscard]] index tap_rows() const { return number * s.filter[0] * s.filter[1]; }

  void operator()(index task) const {
    tap_row<C> rows[most_tap_rows];
    run(task, rows);
  }
  void operator()(index worker, index task) const { run(task, many + worker * tap_rows()); }

 private:
  void run(index task, tap_row<C>* rows) const {
    const index count = s.batch * s.out[0] * s.out[1];
    for (index row = task * grain; row < std::min((task + 1) * grain, count); ++row)
      conv_row(s, parts, number, bias, zeros, y, row, rows);
  }
};

/// True where the direct weight gradient runs tap by tap, each over all rows: of small maps, which stay in cache.
[[nodiscard]] inline bool weight_gradient_by_taps(const conv3d_sizes& s) {
  return s.taps() >= 9 && s.batch * s.out[0] * s.out[1] * s.out[2] <= 4096;
}

// The weight gradient of maps side by side: one slab of rows, or all rows and one tap.
template <class T>
struct conv_weight_gradient_task {
  conv3d_sizes s;
  conv3d_part<T> parts[most_parts];
  int number;
  const T* dy;
  T* partial;  // (slabs, taps, in, out)
  index slabs;
  bool by_taps;  // then there is one slab
  void operator()(index task) const {
    const index rows = s.batch * s.out[0] * s.out[1], size = s.w_rows * s.co, slab = by_taps ? 0 : task;
    const index first_tap = by_taps ? task : 0, last_tap = by_taps ? task + 1 : s.taps();
    T* const dw = partial + slab * s.taps() * size;
    std::fill_n(dw + first_tap * size, (last_tap - first_tap) * size, T(0));
    index first = 0;
    for (int i = 0; i < number; ++i) {
      conv_weight_gradient(s.of_part(first, parts[i].ci), parts[i].x, dy, rows * slab / slabs,
                           rows * (slab + 1) / slabs, dw, first_tap, last_tap);
      first += parts[i].ci;
    }
  }
};

// The gradient of one row of inputs of a strided convolution.
template <class C, class T>
struct strided_backward_data_task {
  conv3d_sizes s;
  const T* dy;
  const T* w_transposed;  // (taps, out, in)
  C* dx;

  void operator()(index row) const {
    const index ih = row % s.in[1], id = row / s.in[1] % s.in[0], n = row / s.in[1] / s.in[0];
    C* out = dx + row * s.in[2] * s.ci;
    std::fill_n(out, s.in[2] * s.ci, C(0));
    for (index kd = 0; kd < s.filter[0]; ++kd) {
      const index od = s.target(0, id, kd);
      if (od < 0) continue;
      for (index kh = 0; kh < s.filter[1]; ++kh) {
        const index oh = s.target(1, ih, kh);
        if (oh < 0) continue;
        const T* from = dy + ((n * s.out[0] + od) * s.out[1] + oh) * s.out[2] * s.co;
        for (index kw = 0; kw < s.filter[2]; ++kw) {
          const index first = s.first_output(kw), last = s.last_output(kw);
          if (first >= last) continue;
          gemm_add(last - first, s.ci, s.co, from + first * s.co, s.co,
                   w_transposed + ((kd * s.filter[1] + kh) * s.filter[2] + kw) * s.ci * s.co, s.ci,
                   out + s.source(2, first, kw) * s.ci, s.stride[2] * s.ci);
        }
      }
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
