// SPDX-License-Identifier: Apache-2.0
/// @file
/// Elementwise functions with xtensor's own broadcasting, reductions, soft-max, copies, and the sums of segmentation
/// losses of the reference engine.
#ifndef COMODAL_ENGINE_REFERENCE_ELEMENTWISE_HPP
#define COMODAL_ENGINE_REFERENCE_ELEMENTWISE_HPP

#include <comodal/engine/problem/broadcast.hpp>
#include <comodal/engine/problem/segmentation_sums.hpp>
#include <comodal/engine/reference/xtensor.hpp>

#include <cstdint>
#include <limits>

namespace comodal::inline COMODAL_CONFIG {

/// Arithmetic by xtensor; shapes and arguments as the problems say.
template <tensor_backend Backend>
struct reference_elementwise {
  using T = typename Backend::scalar_type;
  using array = engine_detail::reference_array;

  template <class Function>
  static void unary_forward(context<Backend>&, index count, const Function& f, const T* x, T* y) {
    const auto in = engine_detail::reference_view(x, {count});
    engine_detail::reference_write(y, {count}, xt::vectorize([&f](T v) { return f.value(v); })(in));
  }
  template <class Function>
  static void unary_backward(context<Backend>&, index count, const Function& f, const T* x, const T* y, const T* dy,
                             T* dx) {
    const auto in = engine_detail::reference_view(x, {count}), out = engine_detail::reference_view(y, {count}),
               above = engine_detail::reference_view(dy, {count});
    engine_detail::reference_write(dx, {count},
                                   above * xt::vectorize([&f](T v, T w) { return f.derivative(v, w); })(in, out));
  }

  template <class Function>
  static void binary(context<Backend>&, const Function& f, const shape& a_shape, const T* a, const shape& b_shape,
                     const T* b, T* y) {
    const auto left = engine_detail::reference_view(a, a_shape), right = engine_detail::reference_view(b, b_shape);
    engine_detail::reference_write(y, broadcast_shape(a_shape, b_shape, "broadcast"),
                                   xt::vectorize([&f](T v, T w) { return f.value(v, w); })(left, right));
  }

  static void sum_axis(context<Backend>&, index outer, index extent, index inner, const T* x, T* y) {
    const array in = engine_detail::reference_read(x, {outer, extent, inner});
    engine_detail::reference_write(y, {outer, inner}, xt::sum(in, {1}));
  }

  static void max_axis_forward(context<Backend>&, index outer, index extent, index inner, const T* x, T* y,
                               std::int32_t* chosen) {
    const array in = engine_detail::reference_read(x, {outer, extent, inner});
    const array most = xt::amax(in, {1});
    array where = xt::zeros_like(most);
    for (index k = extent; k-- > 0;)
      where = array(xt::where(xt::equal(xt::view(in, xt::all(), k), most), static_cast<double>(k), where));
    engine_detail::reference_write(y, {outer, inner}, most);
    engine_detail::reference_write(chosen, {outer, inner}, where);
  }
  static void max_axis_backward(context<Backend>&, index outer, index extent, index inner, const T* dy,
                                const std::int32_t* chosen, T* dx) {
    const array above = engine_detail::reference_read(dy, {outer, 1, inner}),
                where = engine_detail::reference_read(chosen, {outer, 1, inner});
    array place = xt::arange<double>(static_cast<double>(extent));
    place.reshape({static_cast<std::size_t>(extent), 1});
    engine_detail::reference_write(dx, {outer, extent, inner}, xt::where(xt::equal(where, place), above, 0.0));
  }

  static void copy_block(context<Backend>&, index rows, index width, const T* from, index from_pitch, T* to,
                         index to_pitch) {
    for (index r = 0; r < rows; ++r)
      engine_detail::reference_write(to + r * to_pitch, {width},
                                     engine_detail::reference_view(from + r * from_pitch, {width}));
  }
  static void add_block(context<Backend>&, index rows, index width, const T* from, index from_pitch, T* to,
                        index to_pitch) {
    for (index r = 0; r < rows; ++r) {
      auto out = engine_detail::reference_view(to + r * to_pitch, {width});
      out += engine_detail::reference_view(from + r * from_pitch, {width});
    }
  }
  static void fill(context<Backend>&, index count, T value, T* to) {
    engine_detail::reference_view(to, {count}).fill(value);
  }

  static void softmax_forward(context<Backend>&, index outer, index extent, index inner, const T* x, const T* mask,
                              index groups, T* y) {
    const array in = engine_detail::reference_read(x, {outer, extent, inner});
    array taken = xt::ones<double>({static_cast<std::size_t>(outer), static_cast<std::size_t>(extent), std::size_t{1}});
    if (mask) {
      const array rows = engine_detail::reference_read(mask, {groups, extent});
      taken = xt::repeat(rows, static_cast<std::size_t>(outer / groups), 0);
      taken.reshape({static_cast<std::size_t>(outer), static_cast<std::size_t>(extent), std::size_t{1}});
    }
    const array seen = xt::where(xt::not_equal(taken, 0.0), in, -std::numeric_limits<double>::infinity());
    const array largest = xt::amax(seen, {1}, xt::keep_dims);
    const array e = xt::where(xt::not_equal(taken, 0.0), xt::exp(seen - largest), 0.0),
                total = xt::sum(e, {1}, xt::keep_dims);
    engine_detail::reference_write(y, {outer, extent, inner}, xt::where(total > 0, e / total, 0.0));
  }
  static void softmax_backward(context<Backend>&, index outer, index extent, index inner, const T* y, const T* dy,
                               T* dx) {
    const array p = engine_detail::reference_read(y, {outer, extent, inner}),
                above = engine_detail::reference_read(dy, {outer, extent, inner});
    const array dot = xt::sum(p * above, {1}, xt::keep_dims);
    engine_detail::reference_write(dx, {outer, extent, inner}, p * (above - dot));
  }
};

/// The sums of segmentation losses by xtensor; shapes and arguments as its problem says.
template <tensor_backend Backend>
struct reference_segmentation_sums {
  using T = typename Backend::scalar_type;
  using array = engine_detail::reference_array;

  static void segmentation_sums_forward(context<Backend>&, label_kind kind, index samples, index voxels, index classes,
                                        const T* z, const T* target, const T* weight, T* out) {
    const terms t(kind, samples, voxels, classes, z, target, weight);
    array sums = xt::zeros<double>(engine_detail::reference_extents({samples, 2 + 3 * classes}));
    const auto columns = [&](index first, index count) {
      return xt::view(sums, xt::all(), xt::range(first, first + count));
    };
    const array ce = t.w * t.entropy, py = t.w * t.p * t.y, pp = t.w * t.p * t.p, yy = t.w * t.y * t.y;
    columns(0, 1) = xt::sum(t.w, {1});
    columns(1, 1) = xt::sum(ce, {1});
    columns(2, classes) = xt::sum(py, {1});
    columns(2 + classes, classes) = xt::sum(pp, {1});
    columns(2 + 2 * classes, classes) = xt::sum(yy, {1});
    engine_detail::reference_write(out, {samples, 2 + 3 * classes}, sums);
  }

  static void segmentation_sums_backward(context<Backend>&, label_kind kind, index samples, index voxels, index classes,
                                         const T* z, const T* target, const T* weight, const T* dsums, T* dz) {
    const terms t(kind, samples, voxels, classes, z, target, weight);
    const array above = engine_detail::reference_read(dsums, {samples, 1, 2 + 3 * classes});
    const auto columns = [&](index first, index count) {
      return xt::view(above, xt::all(), xt::all(), xt::range(first, first + count));
    };
    const array dp = columns(2, classes) * t.y + 2.0 * columns(2 + classes, classes) * t.p;
    array gradient;
    if (kind == label_kind::classes) {
      const array mass = xt::sum(t.y, {2}, xt::keep_dims), dot = xt::sum(dp * t.p, {2}, xt::keep_dims);
      gradient = columns(1, 1) * (t.p * mass - t.y) + t.p * (dp - dot);
    } else {
      gradient = columns(1, 1) * (t.p - t.y) / static_cast<double>(classes) + dp * t.p * (1.0 - t.p);
    }
    engine_detail::reference_write(dz, {samples, voxels, classes}, t.w * gradient);
  }

 private:
  // Weights and cross-entropies (samples, voxels, 1), probabilities and targets (samples, voxels, classes); 0 where the
  // weight is 0.
  struct terms {
    array w, y, p, entropy;

    terms(label_kind kind, index samples, index voxels, index classes, const T* z, const T* target, const T* weight) {
      w = weight ? engine_detail::reference_read(weight, {samples, voxels, 1})
                 : array(xt::ones<double>(engine_detail::reference_extents({samples, voxels, 1})));
      if (kind == label_kind::classes) {
        const array known =
            xt::where(xt::not_equal(w, 0.0), engine_detail::reference_read(target, {samples, voxels, classes}), 0.0);
        w = xt::where(xt::not_equal(array(xt::amax(xt::abs(known), {2}, xt::keep_dims)), 0.0), w, 0.0);
      }
      const array logits =
          xt::where(xt::not_equal(w, 0.0), engine_detail::reference_read(z, {samples, voxels, classes}), 0.0);
      y = xt::where(xt::not_equal(w, 0.0), engine_detail::reference_read(target, {samples, voxels, classes}), 0.0);
      if (kind == label_kind::classes) {
        const array largest = xt::amax(logits, {2}, xt::keep_dims), shifted = logits - largest;
        const array total = xt::sum(xt::exp(shifted), {2}, xt::keep_dims), log_p = shifted - xt::log(total);
        p = xt::exp(log_p);
        entropy = xt::sum(-y * log_p, {2}, xt::keep_dims);
      } else {
        p = 1.0 / (1.0 + xt::exp(-logits));
        entropy =
            xt::mean(xt::maximum(logits, 0.0) - logits * y + xt::log1p(xt::exp(-xt::abs(logits))), {2}, xt::keep_dims);
      }
    }
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
