// SPDX-License-Identifier: Apache-2.0
/// @file
/// Convolution and matrix product of the reference engine: one matrix product for each position of the filter and each
/// group, on a padded copy of the image.
#ifndef COMODAL_ENGINE_REFERENCE_CONVOLUTION_HPP
#define COMODAL_ENGINE_REFERENCE_CONVOLUTION_HPP

#include <comodal/engine/joined_parts.hpp>
#include <comodal/engine/reference/engine.hpp>
#include <comodal/engine/reference/xtensor.hpp>

namespace comodal::inline COMODAL_CONFIG {
namespace engine_detail {

// The channels of group g, `count` of them: as a range of the last axis, as a view, and as a copy.
inline auto reference_channels(index g, index count) { return xt::range(g * count, (g + 1) * count); }
template <class Image>
auto reference_channels_of(Image& image, index g, index count) {
  return xt::view(image, xt::all(), xt::all(), xt::all(), xt::all(), reference_channels(g, count));
}
template <class Image>
reference_array reference_group(const Image& image, index g, index count) {
  return reference_channels_of(image, g, count);
}

/// One convolution on arrays of double: images (N, D, H, W, C), weights (KD, KH, KW, in / groups, out).
class reference_conv3d {
 public:
  explicit reference_conv3d(const conv3d_problem& p) : m_problem(p) {}

  /// Weights in our layout, read from memory in that of the problem, and back.
  template <class T>
  [[nodiscard]] reference_array read_weights(const T* w) const {
    const reference_array stored = reference_read(w, m_problem.weight_shape());
    return m_problem.layout == filter_layout::in_out ? stored : swapped(stored);
  }
  template <class T>
  void write_weights(T* w, const reference_array& values) const {
    reference_write(w, m_problem.weight_shape(), m_problem.layout == filter_layout::in_out ? values : swapped(values));
  }

  [[nodiscard]] reference_array forward(const reference_array& x, const reference_array& w) const {
    const reference_array padded = pad(x);
    reference_array y = xt::zeros<double>(reference_extents(m_problem.output_shape()));
    each_tap([&](const extent3& k, index g) {
      const reference_array in = reference_group(reference_voxels(padded, at(k), m_problem.output(), m_problem.stride),
                                                 g, ci()),
                            tap = xt::view(w, k[0], k[1], k[2], xt::all(), reference_channels(g, co()));
      shape made = m_problem.output_shape();
      made.set(4, co());
      reference_channels_of(y, g, co()) += reference_product(reference_matrix(in, ci()), tap, made);
    });
    return y;
  }

  [[nodiscard]] reference_array backward(const reference_array& dy, const reference_array& w) const {
    reference_array padded = xt::zeros<double>(reference_extents(padded_shape()));
    each_tap([&](const extent3& k, index g) {
      const reference_array out = reference_group(dy, g, co()),
                            tap = xt::transpose(
                                reference_array(xt::view(w, k[0], k[1], k[2], xt::all(), reference_channels(g, co()))));
      shape seen = m_problem.output_shape();
      seen.set(4, ci());
      auto target = reference_voxels(padded, at(k), m_problem.output(), m_problem.stride);
      reference_channels_of(target, g, ci()) += reference_product(reference_matrix(out, co()), tap, seen);
    });
    return reference_voxels(padded, m_problem.pad_front, m_problem.input, {1, 1, 1});
  }

  [[nodiscard]] reference_array backward_weights(const reference_array& x, const reference_array& dy) const {
    const reference_array padded = pad(x);
    reference_array w = xt::zeros<double>(reference_extents(
        {m_problem.filter[0], m_problem.filter[1], m_problem.filter[2], ci(), m_problem.out_channels}));
    each_tap([&](const extent3& k, index g) {
      const reference_array in = reference_group(reference_voxels(padded, at(k), m_problem.output(), m_problem.stride),
                                                 g, ci()),
                            out = reference_group(dy, g, co());
      const reference_array seen = xt::transpose(reference_matrix(in, ci()));
      xt::view(w, k[0], k[1], k[2], xt::all(), reference_channels(g, co())) =
          xt::linalg::dot(seen, reference_matrix(out, co()));
    });
    return w;
  }

 private:
  [[nodiscard]] index ci() const { return m_problem.in_channels / m_problem.groups; }
  [[nodiscard]] index co() const { return m_problem.out_channels / m_problem.groups; }
  [[nodiscard]] static reference_array swapped(const reference_array& w) {
    return xt::transpose(w, std::vector<std::size_t>{0, 1, 2, 4, 3});
  }
  // Where the inputs of tap k begin in the padded image.
  [[nodiscard]] extent3 at(const extent3& k) const {
    return {k[0] * m_problem.dilation[0], k[1] * m_problem.dilation[1], k[2] * m_problem.dilation[2]};
  }
  [[nodiscard]] shape padded_shape() const {
    shape padded = m_problem.input_shape();
    for (std::size_t a = 0; a < 3; ++a)
      padded.set(static_cast<int>(a) + 1, m_problem.input[a] + m_problem.pad_front[a] + m_problem.pad_back[a]);
    return padded;
  }
  [[nodiscard]] reference_array pad(const reference_array& x) const {
    reference_array padded = xt::zeros<double>(reference_extents(padded_shape()));
    reference_voxels(padded, m_problem.pad_front, m_problem.input, {1, 1, 1}) = x;
    return padded;
  }
  template <class Body>
  void each_tap(const Body& body) const {
    reference_taps(m_problem.filter, [&](const extent3& k) {
      for (index g = 0; g < m_problem.groups; ++g) body(k, g);
    });
  }

  const conv3d_problem& m_problem;
};

}  // namespace engine_detail

template <tensor_backend Backend>
struct engine_op<reference_engine, conv3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = conv3d_problem::arguments<T>;
  using plan_type = simple_plan;

  [[nodiscard]] static support supports(context<Backend>&, const conv3d_problem& p, direction d) {
    if (p.slope != 1 && d != direction::forward)
      return support::no("the gradient of an activation belongs to an operation of its own");
    return support::yes();
  }
  [[nodiscard]] static bool prefers(context<Backend>&, const conv3d_problem&, direction) { return true; }
  [[nodiscard]] static simple_plan make_plan(context<Backend>&, const conv3d_problem& p, direction) {
    simple_plan plan;
    plan.facts.deterministic = plan.facts.thread_invariant = true;
    plan.facts.joined = p.part_count > 1;
    return plan;
  }

  static void run(context<Backend>& ctx, const simple_plan&, const conv3d_problem& p, direction d, const arguments& a) {
    const engine_detail::joined_parts<Backend> x(ctx, p, d, a);
    const engine_detail::reference_conv3d of(p);
    if (d == direction::forward) {
      array y = of.forward(engine_detail::reference_read(x.data(), p.input_shape()), of.read_weights(a.w));
      if (a.bias && !p.is_blocks()) y += engine_detail::reference_read(a.bias, {p.out_channels});
      y = array(xt::where(y > 0, y, p.slope * y));
      engine_detail::reference_write(a.y, p.output_shape(), y);
    } else if (d == direction::backward) {
      array dx = of.backward(engine_detail::reference_read(a.y, p.output_shape()), of.read_weights(a.w));
      if (a.bias && p.is_blocks()) dx += engine_detail::reference_read(a.bias, {p.in_channels});
      engine_detail::reference_write(x.data(), p.input_shape(), dx);
      x.split();
    } else {
      of.write_weights(a.w, of.backward_weights(engine_detail::reference_read(x.data(), p.input_shape()),
                                                engine_detail::reference_read(a.y, p.output_shape())));
    }
  }

 private:
  using array = engine_detail::reference_array;
};

/// Matrix products by xtensor-blas.
template <tensor_backend Backend>
struct reference_matmul {
  using T = typename Backend::scalar_type;
  using array = engine_detail::reference_array;

  static void matmul(context<Backend>&, index batch, index rows, index columns, index inner, const T* a,
                     bool transpose_a, const T* b, bool transpose_b, T* c) {
    for (index n = 0; n < batch; ++n) {
      const shape a_shape = transpose_a ? shape{inner, rows} : shape{rows, inner},
                  b_shape = transpose_b ? shape{columns, inner} : shape{inner, columns};
      array left = engine_detail::reference_read(a + n * rows * inner, a_shape),
            right = engine_detail::reference_read(b + n * inner * columns, b_shape);
      if (transpose_a) left = array(xt::transpose(left));
      if (transpose_b) right = array(xt::transpose(right));
      engine_detail::reference_write(c + n * rows * columns, {rows, columns},
                                     engine_detail::reference_product(left, right, {rows, columns}));
    }
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
