// SPDX-License-Identifier: Apache-2.0
/// @file
/// Optimisers: SGD with Nesterov momentum and AdamW, one kernel over all parameters, with the gradient's norm clipped
/// on the device.
#ifndef COMODAL_TRAIN_OPTIMISER_HPP
#define COMODAL_TRAIN_OPTIMISER_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/core/step_block.hpp>
#include <comodal/nn/state.hpp>
#include <comodal/train/optimiser_options.hpp>

#include <cmath>
#include <concepts>
#include <memory>

namespace comodal::inline COMODAL_CONFIG {

/// A type that updates parameters from their gradients: `update(parameters, rate, step)` and its own state in a
/// checkpoint. It may have `prepare(parameters, rate, step)`, which announces the numbers of a step to come (see
/// core/step_block.hpp), so that they are sent to the device with all others: `update` reads them there. Steps of an
/// optimiser without `prepare` are not replayed.
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
        "that clipped it; 0 where the norm is not finite and nothing was changed");
}

namespace detail {

template <class T>
struct square_sum_body {
  const T* g;
  template <class Sums>
  KOKKOS_INLINE_FUNCTION void operator()(index, index r, index c, Sums&& sums) const {
    const auto value = static_cast<double>(g[r * 16 + c]);
    sums[0] += value * value;
  }
};

// squares (count) -> the norm, and the factor that brings it down to `clip`; 0 where the norm is not finite.
template <class T>
struct clip_body {
  const double* squares;
  T* norm_and_factor;
  index count;
  double clip;
  KOKKOS_INLINE_FUNCTION void operator()(index) const {
    double sum = 0;
    for (index i = 0; i < count; ++i) sum += squares[i];
    const double norm = math::sqrt(sum);
    norm_and_factor[0] = static_cast<T>(norm);
    norm_and_factor[1] = static_cast<T>(norm - norm != 0 ? 0.0 : clip > 0 && norm > clip ? clip / norm : 1.0);
  }
};

// What the kernels of optimisers share: the arena, which elements decay, and which parameters a gradient reached.
template <class T, bool Masked>
struct update_body {
  T* w;
  const T *g, *norm_and_factor;
  const std::uint8_t* reached;  // per `arena_grain` elements, where Masked
  index decayed;                // elements at the front
  const double* rate;           // in the step block
  T decay;

  KOKKOS_INLINE_FUNCTION bool skips(index i) const {
    if (norm_and_factor[1] == T(0)) return true;  // the gradient is not finite: nothing changes
    if constexpr (Masked) return reached[i / arena_grain] == 0;
    return false;
  }
  KOKKOS_INLINE_FUNCTION T decay_of(index i) const { return i < decayed ? decay : T(0); }
};

template <class T, bool Masked>
struct sgd_body : update_body<T, Masked> {
  T* v;
  T momentum;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    if (this->skips(i)) return;
    const T d = this->g[i] * this->norm_and_factor[1] + this->decay_of(i) * this->w[i];
    v[i] = momentum * v[i] + d;
    this->w[i] -= static_cast<T>(*this->rate) * (d + momentum * v[i]);
  }
};

template <class T, bool Masked>
struct adamw_body : update_body<T, Masked> {
  T *m, *v;
  T beta1, beta2, epsilon;
  const double *correction1, *correction2;  // in the step block
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    if (this->skips(i)) return;
    const T d = this->g[i] * this->norm_and_factor[1];
    m[i] = beta1 * m[i] + (T(1) - beta1) * d;
    v[i] = beta2 * v[i] + (T(1) - beta2) * d * d;
    const T c1 = static_cast<T>(*correction1), c2 = static_cast<T>(*correction2);
    this->w[i] -=
        static_cast<T>(*this->rate) * (m[i] / c1 / (math::sqrt(v[i] / c2) + epsilon) + this->decay_of(i) * this->w[i]);
  }
};

// The numbers of a store's update in the step block.
enum class update_number { rate = 1, correction1, correction2 };
template <tensor_backend Backend>
void announce_number(const parameter_store<Backend>& parameters, update_number which, double value) {
  announce(parameters.home().ctx(), parameters.version().get(), static_cast<int>(which), value);
}
template <tensor_backend Backend>
[[nodiscard]] const double* number_on_device(const parameter_store<Backend>& parameters, update_number which,
                                             double value) {
  return device_value(parameters.home().ctx(), parameters.version().get(), static_cast<int>(which), value);
}

// Calls `update(common)` with an `update_body`: the masked one only if some parameter has no gradient.
template <tensor_backend Backend, class Update>
void update_in_place(const parameter_store<Backend>& parameters, const variable<Backend>& clipped, const double* rate,
                     double decay, const Update& update) {
  using T = typename Backend::scalar_type;
  const auto call = [&]<bool Masked>(const std::uint8_t* reached) {
    update(update_body<T, Masked>{parameters.values().data(), parameters.gradients().data(), clipped.value().data(),
                                  reached, parameters.decayed(), rate, static_cast<T>(decay)});
  };
  if (const std::uint8_t* reached = parameters.reached())
    call.template operator()<true>(reached);
  else
    call.template operator()<false>(nullptr);
  parameters.changed();
}

// An arena of an optimiser's state, in the layout of the parameters; named arrays of files are its parts.
template <tensor_backend Backend>
class state_arena {
 public:
  /// @param name in files, before the parameter's: "optimiser.velocity."
  explicit state_arena(std::string name) : m_name(std::move(name)) {}

  /// Pointer to the arena; zeros at first.
  [[nodiscard]] typename Backend::scalar_type* of(const parameter_store<Backend>& parameters) {
    if (!m_all) clear(parameters);
    return m_all.data();
  }
  void save(const parameter_store<Backend>& parameters, safetensors_file& file) const {
    if (!m_all) return;
    for (const auto& one : parameters.all())
      file.arrays[m_name + one.name] =
          named_array::of(one.value.shape(), to_host(parameters.home().ctx().space(), parameters.part(m_all, one)));
  }
  /// Zeros where the file is of a run without any update. @throws io_error if the file is another optimiser's, or an
  /// array has another shape or type
  void load(const parameter_store<Backend>& parameters, const safetensors_file& file) {
    clear(parameters);
    const auto any = file.arrays.lower_bound("optimiser.");
    if (any == file.arrays.end() || any->first.rfind("optimiser.", 0) != 0) return;
    for (const auto& one : parameters.all()) {
      const std::string name = m_name + one.name;
      const auto found = file.arrays.find(name);
      if (found == file.arrays.end())
        throw io_error(
            text("the checkpoint has no '", name, "': it is another optimiser's; resume with the same optimiser.name"));
      if (!(found->second.shape == one.value.shape()))
        throw io_error(text("array '", name, "' is ", found->second.shape.to_string(), ", the network's parameter is ",
                            one.value.shape().to_string()));
      copy_from_host(parameters.home().ctx().space(),
                     found->second.template values<typename Backend::scalar_type>(name), parameters.part(m_all, one));
    }
  }

 private:
  void clear(const parameter_store<Backend>& parameters) {
    m_all = ops::full(parameters.home().ctx(), parameters.values().shape(), typename Backend::scalar_type(0));
  }

  std::string m_name;
  typename context<Backend>::tensor_type m_all;
};

}  // namespace detail

/// The norm of all gradients and the factor that clips it, (2): stays on the device. A factor of 0 says that the norm
/// is not finite: an optimiser then changes nothing, neither parameters nor its own state. Parameters without a
/// gradient count as 0. The number of kernels does not depend on the number of parameters.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> clip_gradients(const parameter_store<Backend>& parameters, double clip) {
  using T = typename Backend::scalar_type;
  auto& ctx = parameters.home().ctx();
  const auto& g = parameters.gradients();
  constexpr index lanes = 16;
  const index rows = g.size() / lanes;  // a multiple of arena_grain
  auto squares = ctx.template make_of<double>({lanes});
  ops::row_sums<1>(ctx, 1, rows, lanes, detail::square_sum_body<T>{g.data()}, squares);
  auto result = ctx.make({2});
  ops::each(ctx, 1, detail::clip_body<T>{squares.data(), result.data(), lanes, clip});
  return parameters.home().constant(result);
}

/// SGD with Nesterov momentum as PyTorch defines it: v <- mu v + g + decay w; w <- w - rate (g + decay w + mu v).
template <tensor_backend Backend>
class sgd {
 public:
  explicit sgd(const optimiser_options& options) : m_options(options) {}

  /// Announces the numbers of the next update. @param rate the learning rate
  void prepare(const parameter_store<Backend>& parameters, double rate, std::uint32_t) const {
    detail::announce_number(parameters, detail::update_number::rate, rate);
  }
  /// Updates all parameters that have a gradient, in one kernel; returns (norm of the gradient, factor that clipped
  /// it).
  variable<Backend> update(const parameter_store<Backend>& parameters, double rate, std::uint32_t) {
    using T = typename Backend::scalar_type;
    const auto clipped = clip_gradients(parameters, m_options.clip);
    const double* rate_at = detail::number_on_device(parameters, detail::update_number::rate, rate);
    detail::update_in_place(
        parameters, clipped, rate_at, m_options.weight_decay, [&]<bool M>(const detail::update_body<T, M>& common) {
          ops::each(parameters.home().ctx(), parameters.values().size(),
                    detail::sgd_body<T, M>{common, m_velocity.of(parameters), static_cast<T>(m_options.momentum)});
        });
    return clipped;
  }
  void save(const parameter_store<Backend>& parameters, safetensors_file& file) const {
    m_velocity.save(parameters, file);
  }
  void load(const parameter_store<Backend>& parameters, const safetensors_file& file) {
    m_velocity.load(parameters, file);
  }

 private:
  optimiser_options m_options;
  detail::state_arena<Backend> m_velocity{"optimiser.velocity."};
};

/// AdamW (Loshchilov and Hutter, 2019), bias-corrected, decay decoupled from the moments.
template <tensor_backend Backend>
class adamw {
 public:
  explicit adamw(const optimiser_options& options) : m_options(options) {}

  /// As `sgd::prepare`; the corrections depend on the step.
  void prepare(const parameter_store<Backend>& parameters, double rate, std::uint32_t step) const {
    detail::announce_number(parameters, detail::update_number::rate, rate);
    detail::announce_number(parameters, detail::update_number::correction1, correction(m_options.beta1, step));
    detail::announce_number(parameters, detail::update_number::correction2, correction(m_options.beta2, step));
  }
  /// As `sgd::update`.
  variable<Backend> update(const parameter_store<Backend>& parameters, double rate, std::uint32_t step) {
    using T = typename Backend::scalar_type;
    const auto clipped = clip_gradients(parameters, m_options.clip);
    // The corrections are in double, the betas of the kernel in T: for float and beta2 = 0.999 that is a relative
    // difference of 1.3e-5 in the second moment's scale, far below the noise of a gradient.
    prepare(parameters, rate, step);
    using number = detail::update_number;
    const double* rate_at = detail::number_on_device(parameters, number::rate, rate);
    const double *c1 = detail::number_on_device(parameters, number::correction1, correction(m_options.beta1, step)),
                 *c2 = detail::number_on_device(parameters, number::correction2, correction(m_options.beta2, step));
    detail::update_in_place(
        parameters, clipped, rate_at, m_options.weight_decay, [&]<bool M>(const detail::update_body<T, M>& common) {
          ops::each(parameters.home().ctx(), parameters.values().size(),
                    detail::adamw_body<T, M>{common, m_first.of(parameters), m_second.of(parameters),
                                             static_cast<T>(m_options.beta1), static_cast<T>(m_options.beta2),
                                             static_cast<T>(m_options.epsilon), c1, c2});
        });
    return clipped;
  }
  void save(const parameter_store<Backend>& parameters, safetensors_file& file) const {
    m_first.save(parameters, file);
    m_second.save(parameters, file);
  }
  void load(const parameter_store<Backend>& parameters, const safetensors_file& file) {
    m_first.load(parameters, file);
    m_second.load(parameters, file);
  }

 private:
  static double correction(double beta, std::uint32_t step) { return 1 - std::pow(beta, step + 1.0); }

  optimiser_options m_options;
  detail::state_arena<Backend> m_first{"optimiser.first."}, m_second{"optimiser.second."};
};

/// Any optimiser, chosen at run time.
template <tensor_backend Backend>
class any_optimiser {
 public:
  template <class Optimiser>
  explicit any_optimiser(Optimiser o) : m_optimiser(std::make_unique<model<Optimiser>>(std::move(o))) {
    check_optimiser<Optimiser, Backend>();
  }
  /// Announces the numbers of the next update, where the optimiser can.
  void prepare(const parameter_store<Backend>& p, double rate, std::uint32_t step) {
    m_optimiser->prepare(p, rate, step);
  }
  /// True if it can.
  [[nodiscard]] bool prepares() const { return m_optimiser->prepares(); }
  variable<Backend> update(const parameter_store<Backend>& p, double rate, std::uint32_t step) {
    return m_optimiser->update(p, rate, step);
  }
  void save(const parameter_store<Backend>& p, safetensors_file& file) const { m_optimiser->save(p, file); }
  void load(const parameter_store<Backend>& p, const safetensors_file& file) { m_optimiser->load(p, file); }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual void prepare(const parameter_store<Backend>&, double, std::uint32_t) = 0;
    virtual bool prepares() const = 0;
    virtual variable<Backend> update(const parameter_store<Backend>&, double, std::uint32_t) = 0;
    virtual void save(const parameter_store<Backend>&, safetensors_file&) const = 0;
    virtual void load(const parameter_store<Backend>&, const safetensors_file&) = 0;
  };
  template <class Optimiser>
  struct model final : interface {
    explicit model(Optimiser o) : inner(std::move(o)) {}
    void prepare(const parameter_store<Backend>& p, double rate, std::uint32_t step) override {
      if constexpr (requires { inner.prepare(p, rate, step); }) inner.prepare(p, rate, step);
    }
    bool prepares() const override {
      return requires(const parameter_store<Backend>& p) { inner.prepare(p, 0.01, std::uint32_t{0}); };
    }
    variable<Backend> update(const parameter_store<Backend>& p, double rate, std::uint32_t step) override {
      return inner.update(p, rate, step);
    }
    void save(const parameter_store<Backend>& p, safetensors_file& file) const override { inner.save(p, file); }
    void load(const parameter_store<Backend>& p, const safetensors_file& file) override { inner.load(p, file); }
    Optimiser inner;
  };
  std::unique_ptr<interface> m_optimiser;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
