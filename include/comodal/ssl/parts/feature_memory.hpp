// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a contrast of features remembers of earlier steps: class means of the last crops, and prototypes of the
/// classes.
#ifndef COMODAL_SSL_PARTS_FEATURE_MEMORY_HPP
#define COMODAL_SSL_PARTS_FEATURE_MEMORY_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/nn/averaging.hpp>
#include <comodal/nn/state.hpp>
#include <comodal/ssl/parts/negative_queue.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

// Prototypes (rows, width) follow means of the same shape; a row of zeros is one that has not been seen.
template <class T>
struct follow_prototypes_body {
  index width;
  device_scalar decay;
  const T* means;
  T* prototypes;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T* mean = means + i * width;
    T* to = prototypes + i * width;
    double seen = 0, known = 0, length = 0;
    for (index e = 0; e < width; ++e) {
      seen += static_cast<double>(mean[e]) * static_cast<double>(mean[e]);
      known += static_cast<double>(to[e]) * static_cast<double>(to[e]);
    }
    if (!(seen > 0) || seen - seen != 0) return;  // no mean, or one that is not finite
    const double keep = known == 0 ? 0 : decay.value();
    for (index e = 0; e < width; ++e) {
      const double v = keep * static_cast<double>(to[e]) + (1 - keep) * static_cast<double>(mean[e]);
      length += v * v;
      to[e] = static_cast<T>(v);
    }
    const double inverse = length > 0 ? 1 / math::sqrt(length) : 0;
    for (index e = 0; e < width; ++e) to[e] = static_cast<T>(static_cast<double>(to[e]) * inverse);
  }
};

// An array of a checkpoint as a tensor of the same shape. @throws io_error
template <tensor_backend Backend>
void load_in_place(context<Backend>& ctx, const safetensors_file& file, const std::string& name,
                   const tensor_of<Backend>& to) {
  using T = typename Backend::scalar_type;
  const named_array& array = file.at(name);
  if (!(array.shape == to.shape()))
    throw io_error(text("array '", name, "' is ", array.shape.to_string(), ", expected ", to.shape().to_string(),
                        "; the checkpoint is of a run with other settings"));
  const auto values = array.template values<T>(name);
  for (const T v : values)
    if (!std::isfinite(v)) throw io_error(text("array '", name, "' holds a value that is not finite"));
  copy_from_host(ctx.space(), values, to);
}

}  // namespace ssl_detail

/// The patients that each sample of a step shows: two, where a labelled crop was pasted in, else twice the same.
/// Labelled and unlabelled patients have different numbers.
template <tensor_backend Backend>
using patients_of_samples = tensor<std::int64_t, typename Backend::space_type>;  // (N, 2)

namespace ssl_detail {

struct patients_body {
  index labelled;
  bool mixed;
  const std::int64_t *of_labelled, *of_unlabelled;
  std::int64_t* to;
  KOKKOS_INLINE_FUNCTION void operator()(index n) const {
    const bool own = n < labelled;
    const index u = n - labelled;
    to[2 * n] = own ? 2 * of_labelled[n] : 2 * of_unlabelled[u] + 1;
    to[2 * n + 1] = !own && mixed ? 2 * of_labelled[u % labelled] : to[2 * n];
  }
};

}  // namespace ssl_detail

/// The patients of labelled crops and, after them, of unlabelled ones, whose box mix shows labelled crop n % L too.
template <tensor_backend Backend>
[[nodiscard]] patients_of_samples<Backend> patients_of(tape<Backend>& home, const device_crops<Backend>& labelled,
                                                       const device_crops<Backend>& unlabelled) {
  auto& ctx = home.ctx();
  const index samples = labelled.samples + unlabelled.samples;
  const patients_of_samples<Backend> patients = ctx.template make_of<std::int64_t>({samples, 2});
  ops::each(ctx, samples,
            ssl_detail::patients_body{labelled.samples, static_cast<bool>(unlabelled.known), labelled.cases.data(),
                                      unlabelled.cases.data(), patients.data()});
  return patients;
}

/// Class means of the features of the last crops, with the patients that each crop shows. All places exist from the
/// first step on; a vector of zeros is an empty place. Everything stays on the device, in its place.
template <tensor_backend Backend>
class feature_queue {
 public:
  /// @param rows vectors per crop @param width numbers per vector
  feature_queue(tape<Backend>& home, index capacity, index rows, index width)
      : m_capacity(capacity),
        m_vectors(ops::full(home.ctx(), {capacity, rows, width}, typename Backend::scalar_type(0))),
        m_patients(home.ctx().template make_of<std::int64_t>({capacity, 2})) {
    ops::each(home.ctx(), m_patients.size(), ssl_detail::no_case_body{-1, m_patients.data()});
  }
  [[nodiscard]] index capacity() const { return m_capacity; }
  [[nodiscard]] const tensor_of<Backend>& vectors() const { return m_vectors; }              // (Q, rows, width)
  [[nodiscard]] const patients_of_samples<Backend>& patients() const { return m_patients; }  // (Q, 2)

  /// Adds the vectors (N, rows, width) of a step; the oldest leave.
  void push(context<Backend>& ctx, const tensor_of<Backend>& vectors, const patients_of_samples<Backend>& patients) {
    if (m_capacity == 0) return;
    const index added = vectors.shape()[0];
    const auto both = ops::concat<Backend>(ctx, {m_vectors, vectors}, 0);
    ops::copy_finite_or_zero_to(ctx, ops::slice(ctx, both, 0, added, added + m_capacity), m_vectors);
    const auto moved = ctx.template make_of<std::int64_t>({m_capacity, 2});
    ops::each(ctx, moved.size(),
              ssl_detail::shift_cases_body{moved.size(), 2 * added, m_patients.data(), patients.data(), moved.data()});
    ops::each(ctx, moved.size(), ssl_detail::copy_cases_body{moved.data(), m_patients.data()});
  }
  /// Waits for the device.
  void save(context<Backend>& ctx, safetensors_file& file) const {
    file.arrays["features.queue"] = named_array::of(m_vectors.shape(), to_host(ctx.space(), m_vectors));
    file.arrays["features.patients"] = named_array::of(m_patients.shape(), to_host(ctx.space(), m_patients));
  }
  /// @throws io_error for arrays that are missing or do not fit
  void load(context<Backend>& ctx, const safetensors_file& file) {
    ssl_detail::load_in_place(ctx, file, "features.queue", m_vectors);
    const named_array& patients = file.at("features.patients");
    if (!(patients.shape == m_patients.shape()))
      throw io_error(text("array 'features.patients' is ", patients.shape.to_string(), ", expected ",
                          m_patients.shape().to_string()));
    copy_from_host(ctx.space(), patients.template values<std::int64_t>("features.patients"), m_patients);
  }

 private:
  index m_capacity;
  tensor_of<Backend> m_vectors;
  patients_of_samples<Backend> m_patients;
};

/// Unit vectors that follow class means over steps: p <- d p + (1 - d) mean, brought to length 1, with d = min(1 - 1 /
/// (t + 1), 0.99) at step t; the first mean is taken as it is. A row of zeros has not been seen.
template <tensor_backend Backend>
class class_prototypes {
 public:
  static constexpr double decay = 0.99;

  class_prototypes(tape<Backend>& home, index rows, index width)
      : m_values(ops::full(home.ctx(), {rows, width}, typename Backend::scalar_type(0))) {}
  [[nodiscard]] const tensor_of<Backend>& values() const { return m_values; }  // (rows, width)
  /// @param means (rows, width) of this step, of length 1; a row of zeros changes nothing
  void follow(context<Backend>& ctx, const tensor_of<Backend>& means, const progress& at) {
    using T = typename Backend::scalar_type;
    ops::each(ctx, m_values.shape()[0],
              ssl_detail::follow_prototypes_body<T>{m_values.shape()[1], device_value(ctx, ema_factor(at, decay)),
                                                    means.data(), m_values.data()});
  }
  /// Waits for the device.
  void save(context<Backend>& ctx, safetensors_file& file) const {
    file.arrays["features.prototypes"] = named_array::of(m_values.shape(), to_host(ctx.space(), m_values));
  }
  /// @throws io_error for an array that is missing or does not fit
  void load(context<Backend>& ctx, const safetensors_file& file) {
    ssl_detail::load_in_place(ctx, file, "features.prototypes", m_values);
  }

 private:
  tensor_of<Backend> m_values;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
