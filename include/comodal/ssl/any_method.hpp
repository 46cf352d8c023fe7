// SPDX-License-Identifier: Apache-2.0
/// @file
/// Any semi-supervised method, chosen at run time.
#ifndef COMODAL_SSL_ANY_METHOD_HPP
#define COMODAL_SSL_ANY_METHOD_HPP

#include <comodal/ssl/method.hpp>

#include <memory>

namespace comodal::inline COMODAL_CONFIG {

/// A semi-supervised method behind one type; see the concept for its members. Hooks that a method lacks do nothing.
template <tensor_backend Backend>
class any_method {
 public:
  template <class Method>
  explicit any_method(std::unique_ptr<Method> method) : m_method(wrapped(std::move(method))) {}
  [[nodiscard]] batch_views views() const { return m_method->views(); }
  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    return m_method->step(batch, request);
  }
  [[nodiscard]] std::vector<named_store<Backend>> trained() const { return m_method->trained(); }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const { return m_method->predictors(); }
  void after_update(const step_request& request) { m_method->after_update(request); }
  void on_validation(const validation_scores& scores) { m_method->on_validation(scores); }
  void between_rounds(const case_predictor& predict) { m_method->between_rounds(predict); }
  /// True if the method wants to be called between rounds.
  [[nodiscard]] bool has_rounds() const { return m_method->has_rounds(); }
  void save(safetensors_file& file) const { m_method->save(file); }
  void load(const safetensors_file& file) { m_method->load(file); }

  /// The predictor of a name; the default for an empty name. @throws config_error that lists the names there are
  [[nodiscard]] any_network<Backend> predictor(const std::string& name = "") const {
    std::string names;
    for (const auto& one : predictors()) {
      if (name.empty() || one.name == name) return one.network;
      names += (names.empty() ? "" : ", ") + one.name;
    }
    throw config_error(text("the method has no weights '", name, "' that predict, but: ", names));
  }
  /// Logits of a predictor, without gradients and without anything random.
  /// @param weights the predictor's name; empty: the default
  [[nodiscard]] network_output<Backend> predict(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present, network_outputs outputs,
                                                const std::string& weights = "") const {
    const auto network = predictor(weights);
    const no_grad_scope<Backend> quiet(network.parameters().home());
    return network.forward(volumes, present, {outputs, forward_mode::evaluate});
  }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual batch_views views() const = 0;
    virtual named_scalars<Backend> step(const step_batch&, const step_request&) = 0;
    virtual std::vector<named_store<Backend>> trained() const = 0;
    virtual std::vector<named_network<Backend>> predictors() const = 0;
    virtual void after_update(const step_request&) = 0;
    virtual void on_validation(const validation_scores&) = 0;
    virtual void between_rounds(const case_predictor&) = 0;
    virtual bool has_rounds() const = 0;
    virtual void save(safetensors_file&) const = 0;
    virtual void load(const safetensors_file&) = 0;
  };
  template <semi_supervised_method<Backend> Method>
  struct model final : interface {
    explicit model(std::unique_ptr<Method> m) : method(std::move(m)) {}
    batch_views views() const override { return method->views(); }
    named_scalars<Backend> step(const step_batch& batch, const step_request& request) override {
      return method->step(batch, request);
    }
    std::vector<named_store<Backend>> trained() const override { return method->trained(); }
    std::vector<named_network<Backend>> predictors() const override { return method->predictors(); }
    void after_update(const step_request& request) override {
      if constexpr (ssl_detail::calls_after_update<Method>) method->after_update(request);
    }
    void on_validation(const validation_scores& scores) override {
      if constexpr (ssl_detail::calls_on_validation<Method>) method->on_validation(scores);
    }
    void between_rounds(const case_predictor& predict) override {
      if constexpr (ssl_detail::calls_between_rounds<Method>) method->between_rounds(predict);
    }
    bool has_rounds() const override { return ssl_detail::calls_between_rounds<Method>; }
    void save(safetensors_file& file) const override { method->save(file); }
    void load(const safetensors_file& file) override { method->load(file); }
    std::unique_ptr<Method> method;
  };

  // Of a type that is no method, the sentence says what it lacks, and nothing else fails.
  template <class Method>
  static std::unique_ptr<interface> wrapped(std::unique_ptr<Method> method) {
    check_semi_supervised_method<Method, Backend>();
    if constexpr (semi_supervised_method<Method, Backend>)
      return std::make_unique<model<Method>>(std::move(method));
    else
      return nullptr;
  }
  std::unique_ptr<interface> m_method;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
