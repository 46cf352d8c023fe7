// SPDX-License-Identifier: Apache-2.0
/// @file
/// Any semi-supervised method, chosen at run time.
#ifndef COMODAL_SSL_ANY_METHOD_HPP
#define COMODAL_SSL_ANY_METHOD_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/model/network_options.hpp>
#include <comodal/ssl/contrastive_mutual_learning.hpp>
#include <comodal/ssl/mean_teacher.hpp>
#include <comodal/ssl/supervised.hpp>

#include <memory>

namespace comodal::inline COMODAL_CONFIG {

/// A semi-supervised method behind one type; see the concept for its members.
template <tensor_backend Backend>
class any_method {
 public:
  template <class Method>
  explicit any_method(std::unique_ptr<Method> method) : m_method(std::make_unique<model<Method>>(std::move(method))) {
    check_semi_supervised_method<Method, Backend>();
  }
  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const progress& at) {
    return m_method->step(batch, at);
  }
  void after_update(const progress& at) { m_method->after_update(at); }
  [[nodiscard]] network_output<Backend> predict(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present, prediction_weights weights,
                                                network_outputs outputs) const {
    return m_method->predict(volumes, present, weights, outputs);
  }
  [[nodiscard]] const parameter_store<Backend>& parameters() const { return m_method->parameters(); }
  [[nodiscard]] const parameter_store<Backend>& averaged() const { return m_method->averaged(); }
  void save(safetensors_file& file) const { m_method->save(file); }
  void load(const safetensors_file& file) { m_method->load(file); }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual named_scalars<Backend> step(const step_batch&, const progress&) = 0;
    virtual void after_update(const progress&) = 0;
    virtual network_output<Backend> predict(const std::vector<variable<Backend>>&, const presence<Backend>&,
                                            prediction_weights, network_outputs) const = 0;
    virtual const parameter_store<Backend>& parameters() const = 0;
    virtual const parameter_store<Backend>& averaged() const = 0;
    virtual void save(safetensors_file&) const = 0;
    virtual void load(const safetensors_file&) = 0;
  };
  template <class Method>
  struct model final : interface {
    explicit model(std::unique_ptr<Method> m) : method(std::move(m)) {}
    named_scalars<Backend> step(const step_batch& batch, const progress& at) override {
      return method->step(batch, at);
    }
    void after_update(const progress& at) override { method->after_update(at); }
    network_output<Backend> predict(const std::vector<variable<Backend>>& volumes, const presence<Backend>& present,
                                    prediction_weights weights, network_outputs outputs) const override {
      return method->predict(volumes, present, weights, outputs);
    }
    const parameter_store<Backend>& parameters() const override { return method->parameters(); }
    const parameter_store<Backend>& averaged() const override { return method->averaged(); }
    void save(safetensors_file& file) const override { method->save(file); }
    void load(const safetensors_file& file) override { method->load(file); }
    std::unique_ptr<Method> method;
  };
  std::unique_ptr<interface> m_method;
};

/// The method that `options.name` names, on networks built from `network`. @throws config_error for a name that is not
/// known
template <tensor_backend Backend>
[[nodiscard]] any_method<Backend> make_method(tape<Backend>& home, const method_options& options,
                                              const network_options& network, index modalities,
                                              const target_map& targets, std::uint64_t seed) {
  using network_type = any_network<Backend>;
  const auto build = [&] { return make_network<Backend>(home, network, modalities, targets.channels, seed); };
  if (options.name == "supervised")
    return any_method<Backend>(std::make_unique<supervised<Backend, network_type>>(build(), build(), targets, options));
  if (options.name == "mean_teacher")
    return any_method<Backend>(
        std::make_unique<mean_teacher<Backend, network_type>>(build(), build(), targets, options));
  if (options.name == "contrastive_mutual_learning")
    return any_method<Backend>(
        std::make_unique<contrastive_mutual_learning<Backend, network_type>>(build(), build(), targets, options));
  throw config_error(
      text("method.name = '", options.name, "', expected supervised, mean_teacher or contrastive_mutual_learning"));
}

#define COMODAL_METHOD(kind, Backend)                                                                        \
  kind any_method<Backend> make_method(tape<Backend>&, const method_options&, const network_options&, index, \
                                       const target_map&, std::uint64_t);
COMODAL_COMPILED_ELSEWHERE(COMODAL_METHOD)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
