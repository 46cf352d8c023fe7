// SPDX-License-Identifier: Apache-2.0
/// @file
/// Optimisers: SGD with Nesterov momentum and AdamW, one pass a parameter, with the gradient's norm clipped on the
/// device.
#ifndef COMODAL_TRAIN_OPTIMISER_HPP
#define COMODAL_TRAIN_OPTIMISER_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/core/ladder.hpp>
#include <comodal/nn/state.hpp>
#include <comodal/train/optimiser_options.hpp>

#include <cmath>
#include <concepts>
#include <memory>

namespace comodal::inline COMODAL_CONFIG {

/// A type that updates parameters from their gradients: `update(parameters, rate, step)` and its own state in a
/// checkpoint.
template <class T, class Backend>
concept optimiser = requires(T& o, const T& fixed, const parameter_store<Backend>& p, safetensors_file& file,
                             const safetensors_file& read) {
  { o.update(p, 0.01, std::uint32_t{0}) } -> std::same_as<variable<Backend>>;
  fixed.save(p, file);
  o.load(p, read);
};

/// Says in plain words which member of an optimiser is missing.
template <class T, tensor_backend Backend>
constexpr void check_optimiser() {
  if constexpr (!requires(T& o, const parameter_store<Backend>& p) { o.update(p, 0.01, std::uint32_t{0}); })
    static_assert(
        detail::never<T>,
        "comodal: an optimiser needs a member update(parameters, rate, step) that returns the norm of the gradient");
  else if constexpr (!requires(const T& o, const parameter_store<Backend>& p, safetensors_file& f) { o.save(p, f); })
    static_assert(detail::never<T>, "comodal: an optimiser needs a member save(parameters, file) const");
  else if constexpr (!requires(T& o, const parameter_store<Backend>& p, const safetensors_file& f) { o.load(p, f); })
    static_assert(detail::never<T>, "comodal: an optimiser needs a member load(parameters, file)");
  else if constexpr (!optimiser<T, Backend>)
    static_assert(
        detail::never<T>,
        "comodal: update() of an optimiser must return variable<Backend>: the gradient's norm, and the factor "
        "that clipped it");
}

namespace detail {

template <class T>
struct square_sum_body {
  const T* g;
  index size;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c, Sums&& sums) const {
    const index i = r * 16 + c;
    if (i < size) sums[0] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
  }
};

// squares (count) -> the norm, and the factor that brings it down to `clip`.
template <class T>
struct clip_body {
  const double* squares;  // (parameters, 16)
  T* norm_and_factor;
  index count;
  double clip;
  KOKKOS_INLINE_FUNCTION void operator()(index) const {
    double sum = 0;
    for (index i = 0; i < count; ++i) sum += squares[i];
    const double norm = math::sqrt(sum);
    norm_and_factor[0] = static_cast<T>(norm);
    norm_and_factor[1] = static_cast<T>(clip > 0 && norm > clip ? clip / norm : 1.0);
  }
};

template <class T>
struct sgd_body {
  T *w, *v;
  const T *g, *norm_and_factor;
  T rate, momentum, decay;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T d = g[i] * norm_and_factor[1] + decay * w[i];
    v[i] = momentum * v[i] + d;
    w[i] -= rate * (d + momentum * v[i]);
  }
};

template <class T>
struct adamw_body {
  T *w, *m, *v;
  const T *g, *norm_and_factor;
  T rate, decay, beta1, beta2, epsilon, correction1, correction2;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T d = g[i] * norm_and_factor[1];
    m[i] = beta1 * m[i] + (T(1) - beta1) * d;
    v[i] = beta2 * v[i] + (T(1) - beta2) * d * d;
    w[i] -= rate * (m[i] / correction1 / (math::sqrt(v[i] / correction2) + epsilon) + decay * w[i]);
  }
};

}  // namespace detail

/// The norm of all gradients and the factor that clips it, (2): stays on the device. Parameters without a gradient
/// count as 0.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> clip_gradients(const parameter_store<Backend>& parameters, double clip) {
  using T = typename Backend::scalar_type;
  auto& ctx = parameters.home().ctx();
  const index count = static_cast<index>(parameters.all().size());
  auto squares = ctx.template make_of<double>({count, 16});
  for (index p = 0; p < count; ++p) {
    const auto& value = parameters.all()[static_cast<std::size_t>(p)].value;
    const index size = value.grad().size(), rows = (size + 15) / 16;
    auto scratch =
        ctx.template make_of<double>({std::max<index>(1, reduce_rows_scratch(1, 1, std::max<index>(rows, 1), 16))});
    reduce_rows<1>(ctx.space(), 1, rows, 16, detail::square_sum_body<T>{value.grad().data(), size}, scratch.data(),
                   squares.data() + p * 16);
  }
  auto result = ctx.make({2});
  for_elements(ctx.space(), 1, detail::clip_body<T>{squares.data(), result.data(), count * 16, clip});
  return parameters.home().constant(result);
}

/// SGD with Nesterov momentum as PyTorch defines it: v <- mu v + g + decay w; w <- w - rate (g + decay w + mu v).
template <tensor_backend Backend>
class sgd {
 public:
  explicit sgd(const optimiser_options& options) : m_options(options) {}

  /// Updates all parameters that have a gradient; returns (norm of the gradient, factor that clipped it).
  variable<Backend> update(const parameter_store<Backend>& parameters, double rate, std::uint32_t) {
    using T = typename Backend::scalar_type;
    auto& ctx = parameters.home().ctx();
    prepare(parameters);
    const auto clipped = clip_gradients(parameters, m_options.clip);
    for (std::size_t p = 0; p < parameters.all().size(); ++p) {
      const auto& one = parameters.all()[p];
      if (!one.value.grad()) continue;
      for_elements(ctx.space(), one.value.shape().size(),
                   detail::sgd_body<T>{one.value.value().data(), m_velocity[p].data(), one.value.grad().data(),
                                       clipped.value().data(), static_cast<T>(rate), static_cast<T>(m_options.momentum),
                                       static_cast<T>(one.decay ? m_options.decay : 0)});
    }
    return clipped;
  }
  void save(const parameter_store<Backend>& parameters, safetensors_file& file) const {
    for (std::size_t p = 0; p < m_velocity.size(); ++p)
      file.arrays["optimiser.velocity." + parameters.all()[p].name] =
          named_array::of(m_velocity[p].shape(), to_host(parameters.home().ctx().space(), m_velocity[p]));
  }
  void load(const parameter_store<Backend>& parameters, const safetensors_file& file) {
    m_velocity.clear();
    for (const auto& one : parameters.all())
      m_velocity.push_back(load_like(one, "optimiser.velocity." + one.name, file));
  }

  /// The array `name` of a checkpoint, of the shape of a parameter; zeros if the checkpoint is of a run without any
  /// update.
  /// @throws io_error if the checkpoint is another optimiser's, or the array has another shape or type
  static typename context<Backend>::tensor_type load_like(const parameter<Backend>& one, const std::string& name,
                                                          const safetensors_file& file) {
    auto& ctx = one.value.ctx();
    const auto found = file.arrays.find(name);
    if (found == file.arrays.end()) {
      const auto any = file.arrays.lower_bound("optimiser.");
      if (any != file.arrays.end() && any->first.rfind("optimiser.", 0) == 0)
        throw io_error(
            text("the checkpoint has no '", name, "': it is another optimiser's; resume with the same optimiser.name"));
      return ops::full(ctx, one.value.shape(), typename Backend::scalar_type(0));
    }
    if (!(found->second.shape == one.value.shape()))
      throw io_error(text("array '", name, "' is ", found->second.shape.to_string(), ", the network's parameter is ",
                          one.value.shape().to_string()));
    return ctx.make(one.value.shape(), found->second.template values<typename Backend::scalar_type>(name));
  }

 private:
  void prepare(const parameter_store<Backend>& parameters) {
    for (std::size_t p = m_velocity.size(); p < parameters.all().size(); ++p)
      m_velocity.push_back(
          ops::full(parameters.home().ctx(), parameters.all()[p].value.shape(), typename Backend::scalar_type(0)));
  }

  optimiser_options m_options;
  std::vector<typename context<Backend>::tensor_type> m_velocity;
};

/// AdamW (Loshchilov and Hutter, 2019), bias-corrected, decay decoupled from the moments.
template <tensor_backend Backend>
class adamw {
 public:
  explicit adamw(const optimiser_options& options) : m_options(options) {}

  variable<Backend> update(const parameter_store<Backend>& parameters, double rate, std::uint32_t step) {
    using T = typename Backend::scalar_type;
    auto& ctx = parameters.home().ctx();
    for (std::size_t p = m_first.size(); p < parameters.all().size(); ++p) {
      m_first.push_back(ops::full(ctx, parameters.all()[p].value.shape(), T(0)));
      m_second.push_back(ops::full(ctx, parameters.all()[p].value.shape(), T(0)));
    }
    const auto clipped = clip_gradients(parameters, m_options.clip);
    // The corrections are in double, the betas of the kernel in T: for float and beta2 = 0.999 that is a relative
    // difference of 1.3e-5 in the second moment's scale, far below the noise of a gradient.
    const double c1 = 1 - std::pow(m_options.beta1, step + 1.0), c2 = 1 - std::pow(m_options.beta2, step + 1.0);
    for (std::size_t p = 0; p < parameters.all().size(); ++p) {
      const auto& one = parameters.all()[p];
      if (!one.value.grad()) continue;
      for_elements(ctx.space(), one.value.shape().size(),
                   detail::adamw_body<T>{one.value.value().data(), m_first[p].data(), m_second[p].data(),
                                         one.value.grad().data(), clipped.value().data(), static_cast<T>(rate),
                                         static_cast<T>(one.decay ? m_options.decay : 0),
                                         static_cast<T>(m_options.beta1), static_cast<T>(m_options.beta2),
                                         static_cast<T>(m_options.epsilon), static_cast<T>(c1), static_cast<T>(c2)});
    }
    return clipped;
  }
  void save(const parameter_store<Backend>& parameters, safetensors_file& file) const {
    auto& ctx = parameters.home().ctx();
    for (std::size_t p = 0; p < m_first.size(); ++p) {
      file.arrays["optimiser.first." + parameters.all()[p].name] =
          named_array::of(m_first[p].shape(), to_host(ctx.space(), m_first[p]));
      file.arrays["optimiser.second." + parameters.all()[p].name] =
          named_array::of(m_second[p].shape(), to_host(ctx.space(), m_second[p]));
    }
  }
  void load(const parameter_store<Backend>& parameters, const safetensors_file& file) {
    m_first.clear();
    m_second.clear();
    for (const auto& one : parameters.all()) {
      m_first.push_back(sgd<Backend>::load_like(one, "optimiser.first." + one.name, file));
      m_second.push_back(sgd<Backend>::load_like(one, "optimiser.second." + one.name, file));
    }
  }

 private:
  optimiser_options m_options;
  std::vector<typename context<Backend>::tensor_type> m_first, m_second;
};

/// Any optimiser, chosen at run time.
template <tensor_backend Backend>
class any_optimiser {
 public:
  template <class Optimiser>
  explicit any_optimiser(Optimiser o) : m_optimiser(std::make_unique<model<Optimiser>>(std::move(o))) {
    check_optimiser<Optimiser, Backend>();
  }
  variable<Backend> update(const parameter_store<Backend>& p, double rate, std::uint32_t step) {
    return m_optimiser->update(p, rate, step);
  }
  void save(const parameter_store<Backend>& p, safetensors_file& file) const { m_optimiser->save(p, file); }
  void load(const parameter_store<Backend>& p, const safetensors_file& file) { m_optimiser->load(p, file); }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual variable<Backend> update(const parameter_store<Backend>&, double, std::uint32_t) = 0;
    virtual void save(const parameter_store<Backend>&, safetensors_file&) const = 0;
    virtual void load(const parameter_store<Backend>&, const safetensors_file&) = 0;
  };
  template <class Optimiser>
  struct model final : interface {
    explicit model(Optimiser o) : inner(std::move(o)) {}
    variable<Backend> update(const parameter_store<Backend>& p, double rate, std::uint32_t step) override {
      return inner.update(p, rate, step);
    }
    void save(const parameter_store<Backend>& p, safetensors_file& file) const override { inner.save(p, file); }
    void load(const parameter_store<Backend>& p, const safetensors_file& file) override { inner.load(p, file); }
    Optimiser inner;
  };
  std::unique_ptr<interface> m_optimiser;
};

/// The optimiser that `options.name` names. @throws config_error for options that make no sense
template <tensor_backend Backend>
[[nodiscard]] any_optimiser<Backend> make_optimiser(const optimiser_options& options) {
  check(options);
  if (options.name == "adamw") return any_optimiser<Backend>(adamw<Backend>(options));
  return any_optimiser<Backend>(sgd<Backend>(options));
}

#define COMODAL_OPTIMISER(kind, Backend) kind any_optimiser<Backend> make_optimiser(const optimiser_options&);
COMODAL_COMPILED_ELSEWHERE(COMODAL_OPTIMISER)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
