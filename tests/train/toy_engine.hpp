// SPDX-License-Identifier: Apache-2.0
/// @file
/// An engine as somebody outside of the library writes it: convolution and normalisation by plain loops.
#ifndef COMODAL_TESTS_TRAIN_TOY_ENGINE_HPP
#define COMODAL_TESTS_TRAIN_TOY_ENGINE_HPP

#include <comodal/engine/dispatch.hpp>
#include <comodal/engine/problem/conv3d.hpp>
#include <comodal/engine/problem/norm_act.hpp>

#include <algorithm>
#include <cmath>

namespace comodal::tests {

struct toy_engine {
  static constexpr const char* name = "toy";
  using serves = problem_list<conv3d_problem, norm_act_problem>;
};

}  // namespace comodal::tests

namespace comodal::inline COMODAL_CONFIG {

/// Convolutions of (KD, KH, KW, in, out) filters, of maps side by side, with bias.
template <class Backend>
struct engine_op<tests::toy_engine, conv3d_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = conv3d_problem::arguments<T>;
  using plan_type = simple_plan;

  static support supports(context<Backend>&, const conv3d_problem& p, direction) {
    if (p.layout != filter_layout::in_out || p.groups != 1 || p.slope != 1) return support::no("it is a toy");
    return support::yes();
  }
  static bool prefers(context<Backend>&, const conv3d_problem&, direction) { return true; }
  static simple_plan make_plan(context<Backend>&, const conv3d_problem&, direction) {
    simple_plan plan;
    plan.facts.algorithm = "plain loops";
    return plan;
  }

  static void run(context<Backend>&, const simple_plan&, const conv3d_problem& p, direction d, const arguments& a) {
    if (d == direction::forward) forward(p, a);
    if (d == direction::backward) backward(p, a);
    if (d == direction::backward_weights) backward_weights(p, a);
  }

 private:
  // Calls `f(part, voxel of x, first channel of the part, voxel of y, tap)` for each part, output and tap.
  template <class F>
  static void each(const conv3d_problem& p, const arguments& a, const F& f) {
    const extent3 out = p.output();
    for (index n = 0; n < p.batch; ++n)
      for (index od = 0; od < out[0]; ++od)
        for (index oh = 0; oh < out[1]; ++oh)
          for (index ow = 0; ow < out[2]; ++ow)
            for (index tap = 0; tap < p.taps(); ++tap) {
              const index kw = tap % p.filter[2], kh = tap / p.filter[2] % p.filter[1],
                          kd = tap / p.filter[2] / p.filter[1];
              const index d = od * p.stride[0] + kd * p.dilation[0] - p.pad_front[0],
                          h = oh * p.stride[1] + kh * p.dilation[1] - p.pad_front[1],
                          w = ow * p.stride[2] + kw * p.dilation[2] - p.pad_front[2];
              if (d < 0 || d >= p.input[0] || h < 0 || h >= p.input[1] || w < 0 || w >= p.input[2]) continue;
              const index x = ((n * p.input[0] + d) * p.input[1] + h) * p.input[2] + w,
                          y = ((n * out[0] + od) * out[1] + oh) * out[2] + ow;
              index first = 0;
              for (const auto& part : a.maps()) {
                if (part.data) f(part, x, first, y, tap);
                first += part.channels;
              }
            }
  }
  static index weight(const conv3d_problem& p, index tap, index ci, index co) {
    return (tap * p.in_channels + ci) * p.out_channels + co;
  }
  static void forward(const conv3d_problem& p, const arguments& a) {
    std::vector<float> sums(static_cast<std::size_t>(p.output_shape().size()));
    for (std::size_t i = 0; a.bias && i < sums.size(); ++i)
      sums[i] = static_cast<float>(a.bias[static_cast<index>(i) % p.out_channels]);
    each(p, a, [&](const auto& part, index x, index first, index y, index tap) {
      for (index k = 0; k < part.channels; ++k)
        for (index c = 0; c < p.out_channels; ++c)
          sums[static_cast<std::size_t>(y * p.out_channels + c)] +=
              static_cast<float>(part.data[x * part.channels + k]) *
              static_cast<float>(a.w[weight(p, tap, first + k, c)]);
    });
    for (std::size_t i = 0; i < sums.size(); ++i) a.y[i] = T(sums[i]);
  }
  static void backward(const conv3d_problem& p, const arguments& a) {
    const index voxels = p.input_shape().product(0, 4);
    std::vector<float> sums(static_cast<std::size_t>(voxels * p.in_channels));
    each(p, a, [&](const auto& part, index x, index first, index y, index tap) {
      for (index k = 0; k < part.channels; ++k)
        for (index c = 0; c < p.out_channels; ++c)
          sums[static_cast<std::size_t>(x * p.in_channels + first + k)] +=
              static_cast<float>(a.y[y * p.out_channels + c]) * static_cast<float>(a.w[weight(p, tap, first + k, c)]);
    });
    index first = 0;
    for (const auto& part : a.maps()) {
      for (index i = 0; part.data && i < voxels * part.channels; ++i)
        part.data[i] = T(sums[static_cast<std::size_t>(i / part.channels * p.in_channels + first + i % part.channels)]);
      first += part.channels;
    }
  }
  static void backward_weights(const conv3d_problem& p, const arguments& a) {
    std::vector<double> sums(static_cast<std::size_t>(p.weight_shape().size()));
    each(p, a, [&](const auto& part, index x, index first, index y, index tap) {
      for (index k = 0; k < part.channels; ++k)
        for (index c = 0; c < p.out_channels; ++c)
          sums[static_cast<std::size_t>(weight(p, tap, first + k, c))] +=
              static_cast<float>(part.data[x * part.channels + k]) * static_cast<float>(a.y[y * p.out_channels + c]);
    });
    for (std::size_t i = 0; i < sums.size(); ++i) a.w[i] = static_cast<T>(static_cast<float>(sums[i]));
  }
};

template <class Backend>
struct engine_op<tests::toy_engine, norm_act_problem, Backend>
    : ready_op<tests::toy_engine, norm_act_problem, Backend> {
  using T = typename Backend::scalar_type;
  using C = compute_type_t<T>;
  using arguments = norm_act_problem::arguments<T>;

  static void run(context<Backend>&, const simple_plan&, const norm_act_problem& p, direction d, const arguments& a) {
    if (d != direction::forward) {
      std::fill_n(a.dgamma, p.channels, T(0));
      std::fill_n(a.dbeta, p.channels, T(0));
    }
    for (index c = 0; c < p.channels; ++c) {
      double to_gamma = 0, to_beta = 0;
      for (index g = 0; g < p.groups; ++g) {
        const auto at = [&](index r) { return (g * p.rows + r) * p.channels + c; };
        const index s = g * p.channels + c;
        if (d == direction::forward)
          forward(p, a, at, s, c);
        else
          backward(p, a, at, s, c, to_gamma, to_beta);
      }
      if (d == direction::forward) continue;
      a.dgamma[c] = T(static_cast<C>(to_gamma));
      a.dbeta[c] = T(static_cast<C>(to_beta));
    }
  }

 private:
  template <class At>
  static void forward(const norm_act_problem& p, const arguments& a, const At& at, index s, index c) {
    const auto rows = static_cast<double>(p.rows);
    double mean = 0, square = 0;
    for (index r = 0; r < p.rows; ++r) mean += static_cast<double>(a.x[at(r)]) / rows;
    for (index r = 0; r < p.rows; ++r) square += std::pow(static_cast<double>(a.x[at(r)]) - mean, 2) / rows;
    a.mean[s] = static_cast<C>(mean);
    a.inverse[s] = static_cast<C>(1 / std::sqrt(square + p.eps));
    for (index r = 0; r < p.rows; ++r) {
      const C v = (C(a.x[at(r)]) - a.mean[s]) * a.inverse[s] * C(a.gamma[c]) + C(a.beta[c]);
      a.y[at(r)] = T(v > C(0) ? v : static_cast<C>(p.slope) * v);
    }
  }
  template <class At>
  static void backward(const norm_act_problem& p, const arguments& a, const At& at, index s, index c, double& to_gamma,
                       double& to_beta) {
    const double gamma = static_cast<double>(C(a.gamma[c])), beta = static_cast<double>(C(a.beta[c]));
    const auto h = [&](index r) {
      return (static_cast<double>(C(a.x[at(r)])) - static_cast<double>(a.mean[s])) * static_cast<double>(a.inverse[s]);
    };
    const auto before = [&](index r) {
      const double dy = static_cast<double>(C(a.dy[at(r)]));
      return h(r) * gamma + beta > 0 ? dy : p.slope * dy;
    };
    double sum = 0, dot = 0;
    for (index r = 0; r < p.rows; ++r) {
      sum += before(r);
      dot += before(r) * h(r);
    }
    to_beta += sum;
    to_gamma += dot;
    const auto rows = static_cast<double>(p.rows);
    for (index r = 0; r < p.rows; ++r)
      a.dx[at(r)] =
          T(static_cast<C>(gamma * static_cast<double>(a.inverse[s]) * (before(r) - sum / rows - h(r) * dot / rows)));
  }
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
