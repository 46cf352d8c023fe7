// SPDX-License-Identifier: Apache-2.0
/// @file
/// The third file of a vendor engine: acme as an engine for instance normalisation, as somebody outside of the library
/// adds it.
#ifndef COMODAL_TESTS_TRAIN_ACME_ACME_HPP
#define COMODAL_TESTS_TRAIN_ACME_ACME_HPP

#include <comodal/core/loops.hpp>
#include <comodal/engine/dispatch.hpp>

#include <train/acme/plans.hpp>

namespace comodal::tests {

struct acme_engine {
  static constexpr const char* name = "acme";
  using serves = problem_list<norm_act_problem>;
  [[nodiscard]] static std::string version() { return "3.1"; }
};

// Where acme computes at all.
template <class Backend>
inline constexpr bool acme_serves_v =
    is_host_v<typename Backend::space_type> && std::is_same_v<compute_type_t<typename Backend::scalar_type>, float>;

template <class From, class To>
struct acme_convert_body {
  const From* from;
  To* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = To(compute_type_t<From>(from[i])); }
};

}  // namespace comodal::tests

/// That acme refuses a normalisation is a fallback wherever it is listed and computes at all.
template <comodal::tensor_backend Backend>
  requires(comodal::lists_engine_v<comodal::tests::acme_engine, typename Backend::engines_type> &&
           comodal::tests::acme_serves_v<Backend>)
struct comodal::expected_engine<Backend, comodal::norm_act_problem> {
  using type = comodal::tests::acme_engine;
};

template <comodal::tensor_backend Backend>
struct comodal::engine_op<comodal::tests::acme_engine, comodal::norm_act_problem, Backend> {
  using T = typename Backend::scalar_type;
  using arguments = norm_act_problem::arguments<T>;
  using plan_type = tests::acme_norm_plan;

  [[nodiscard]] static bool prefers(context<Backend>&, const norm_act_problem&, direction) {
    return tests::acme_serves_v<Backend>;
  }
  [[nodiscard]] static plan_attempt<plan_type> try_plan(context<Backend>& ctx, const norm_act_problem& p, direction d) {
    using attempt = plan_attempt<plan_type>;
    if constexpr (tests::acme_serves_v<Backend>) {
      tests::acme_norm made(ctx.template kept<tests::acme_library>().handle(), tests::acme_descriptor<T>(p, d));
      std::string why = tests::acme_refusal(p, made);
      if (!why.empty()) return attempt::refused(std::move(why));
      return plan_type::template make<T>(std::move(made), p, d);
    } else {
      return attempt::refused("acme computes in float, on a processor");
    }
  }

  static void run(context<Backend>& ctx, const plan_type& plan, const norm_act_problem& p, direction d,
                  const arguments& a) {
    if constexpr (tests::acme_serves_v<Backend>) {
      if (d == direction::forward)
        forward(ctx, plan, p, a);
      else
        backward(ctx, plan, p, a);
    }
  }

 private:
  // The workspace of one call, and parameters as acme wants them.
  struct scratch {
    scratch(context<Backend>& ctx, const plan_type& plan, const norm_act_problem& p)
        : context_of(ctx),
          channels(p.channels),
          bytes(ctx.template make_of<std::byte>({static_cast<index>(plan.own_bytes)})),
          floats(ctx.template make_of<float>({static_cast<index>(plan.floats)})) {}
    // The n-th parameter in float.
    [[nodiscard]] const float* read(int n, const T* from) const {
      if constexpr (std::is_same_v<T, float>) return from;
      float* const to = floats.data() + n * channels;
      convert(from, to);
      return to;
    }
    // Where acme writes a gradient, and the way from there.
    [[nodiscard]] float* target(int n, T* to) const {
      if constexpr (std::is_same_v<T, float>)
        return to;
      else
        return floats.data() + n * channels;
    }
    void write(int n, T* to) const {
      if constexpr (!std::is_same_v<T, float>) convert(floats.data() + n * channels, to);
    }

    context<Backend>& context_of;
    index channels;
    tensor<std::byte, typename Backend::space_type> bytes;
    tensor<float, typename Backend::space_type> floats;

   private:
    template <class From, class To>
    void convert(const From* from, To* to) const {
      for_elements(context_of.space(), channels, tests::acme_convert_body<From, To>{from, to});
    }
  };

  static void forward(context<Backend>& ctx, const plan_type& plan, const norm_act_problem& p, const arguments& a) {
    const scratch own(ctx, plan, p);
    COMODAL_TESTS_ACME(acme_norm_forward(plan.of.handle(), plan.of.get(), a.x, own.read(0, a.gamma),
                                         own.read(1, a.beta), a.y, a.mean, a.inverse, own.bytes.data()));
  }
  static void backward(context<Backend>& ctx, const plan_type& plan, const norm_act_problem& p, const arguments& a) {
    const scratch own(ctx, plan, p);
    COMODAL_TESTS_ACME(acme_norm_backward(plan.of.handle(), plan.of.get(), a.x, a.dy, own.read(0, a.gamma),
                                          own.read(1, a.beta), a.mean, a.inverse, a.dx, own.target(2, a.dgamma),
                                          own.target(3, a.dbeta), own.bytes.data()));
    own.write(2, a.dgamma);
    own.write(3, a.dbeta);
  }
};

#endif
