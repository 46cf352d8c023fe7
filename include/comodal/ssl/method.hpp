// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a semi-supervised method is: it makes gradients from a batch, follows each update, and names what predicts.
#ifndef COMODAL_SSL_METHOD_HPP
#define COMODAL_SSL_METHOD_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/data/batch_views.hpp>
#include <comodal/data/volume.hpp>
#include <comodal/model/any_network.hpp>
#include <comodal/nn/state.hpp>
#include <comodal/ssl/step_request.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Values of one step by name. They stay on the device until somebody reads them.
template <tensor_backend Backend>
using named_scalars = std::vector<std::pair<std::string, variable<Backend>>>;

/// The value that a method calls its loss, wherever it stands in the list. @throws error if there is none
template <tensor_backend Backend>
[[nodiscard]] const variable<Backend>& loss_of(const named_scalars<Backend>& values) {
  std::string names;
  for (const auto& [name, value] : values) {
    if (name == "loss" && value) return value;
    names += (names.empty() ? "" : ", ") + name + (value ? "" : " (empty)");
  }
  throw error(text("the method's step() returned no value named 'loss' (it returned ",
                   names.empty() ? "nothing" : names, "); a semi_supervised_method names its loss so"));
}

/// Parameters that are trained. The name roots their paths in files ("student/decoder.0.head.weight").
template <tensor_backend Backend>
struct named_store {
  std::string name;
  const parameter_store<Backend>* store = nullptr;
};

/// A network that predicts, under the name of its weights ("ema", "student").
template <tensor_backend Backend>
struct named_network {
  std::string name;
  any_network<Backend> network;
};

/// Scores of a validation by name; the first one is what "best" means.
using validation_scores = std::vector<std::pair<std::string, double>>;

/// Segments an unlabelled case with the weights of a name, on the case's prepared grid.
using case_predictor = std::function<label_volume(const std::string& weights, std::uint32_t unlabelled_case)>;

namespace ssl_detail {

// Whether a class has a member of that name, and whether it can be called as the hook is.
template <class T>
inline constexpr bool names_after_update = requires { &T::after_update; };
template <class T>
inline constexpr bool calls_after_update = requires(T& m, const step_request& r) { m.after_update(r); };
template <class T>
inline constexpr bool names_on_validation = requires { &T::on_validation; };
template <class T>
inline constexpr bool calls_on_validation = requires(T& m, const validation_scores& s) { m.on_validation(s); };
template <class T>
inline constexpr bool names_between_rounds = requires { &T::between_rounds; };
template <class T>
inline constexpr bool calls_between_rounds = requires(T& m, const case_predictor& p) { m.between_rounds(p); };

template <class T>
inline constexpr bool hooks_fit =
    (calls_after_update<T> || !names_after_update<T>) && (calls_on_validation<T> || !names_on_validation<T>) &&
    (calls_between_rounds<T> || !names_between_rounds<T>);

// Says which member of a complete method returns something else than the concept asks for.
template <class T, class Backend>
constexpr void check_results() {
  constexpr bool views = requires(const T& m) {
    { m.views() } -> std::same_as<batch_views>;
  };
  constexpr bool step = requires(T& m, const step_batch& b, const step_request& r) {
    { m.step(b, r) } -> std::same_as<named_scalars<Backend>>;
  };
  constexpr bool trained = requires(const T& m) {
    { m.trained() } -> std::same_as<std::vector<named_store<Backend>>>;
  };
  constexpr bool predictors = requires(const T& m) {
    { m.predictors() } -> std::same_as<std::vector<named_network<Backend>>>;
  };
  static_assert(views, "comodal: views() of a semi_supervised_method must return batch_views");
  static_assert(!views || step, "comodal: step() of a semi_supervised_method must return named_scalars<Backend>");
  static_assert(!(views && step) || trained,
                "comodal: trained() of a semi_supervised_method must return std::vector<named_store<Backend>>");
  static_assert(!(views && step && trained) || predictors,
                "comodal: predictors() of a semi_supervised_method must return std::vector<named_network<Backend>>");
}

}  // namespace ssl_detail

/// @throws config_error where a batch has no unlabelled crops, of which `method` learns
inline void expect_unlabelled(const step_batch& batch, std::string_view method) {
  if (batch.strong.samples == 0)
    throw config_error(text(method, ": batch.unlabelled = 0, expected unlabelled crops in every step"));
}

/// A type that learns from batches.
///  - `views()`: what crops it wants of each step;
///  - `step(batch, request)`: runs its networks, leaves gradients in the trained stores, and returns named scalars, one
///    of them `loss`. It may go backward several times;
///  - `trained()`: the stores that optimisers change, each under a name of its own;
///  - `predictors()`: the networks that may predict, the default first;
///  - `save(file)`, `load(file)`: everything a resumed run needs besides trained stores and predictors.
/// It may have these hooks:
///  - `after_update(request)`: follows an update of the parameters (averages, queues);
///  - `on_validation(scores)`: sees the scores of a validation;
///  - `between_rounds(predict)`: called at fixed points of a run while no batch is being made; `predict` segments
///    unlabelled cases.
template <class T, class Backend>
concept semi_supervised_method = requires(T& method, const T& fixed, const step_batch& batch,
                                          const step_request& request, safetensors_file& file,
                                          const safetensors_file& read) {
  { fixed.views() } -> std::same_as<batch_views>;
  { method.step(batch, request) } -> std::same_as<named_scalars<Backend>>;
  { fixed.trained() } -> std::same_as<std::vector<named_store<Backend>>>;
  { fixed.predictors() } -> std::same_as<std::vector<named_network<Backend>>>;
  fixed.save(file);
  method.load(read);
} && ssl_detail::hooks_fit<T>;

/// Says in plain words what a method lacks; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_semi_supervised_method() {
  constexpr bool has_views = requires(const T& m) { m.views(); };
  constexpr bool has_step = requires(T& m, const step_batch& b, const step_request& r) { m.step(b, r); };
  constexpr bool has_trained = requires(const T& m) { m.trained(); };
  constexpr bool has_predictors = requires(const T& m) { m.predictors(); };
  constexpr bool has_save = requires(const T& m, safetensors_file& f) { m.save(f); };
  constexpr bool has_load = requires(T& m, const safetensors_file& f) { m.load(f); };
  static_assert(has_views,
                "comodal: a semi_supervised_method needs a member views() const that returns batch_views: the crops it "
                "wants of each step");
  static_assert(!has_views || has_step,
                "comodal: a semi_supervised_method needs a member step(const step_batch&, const step_request&) that "
                "returns named_scalars<Backend>, one of them 'loss'");
  static_assert(!(has_views && has_step) || has_trained,
                "comodal: a semi_supervised_method needs a member trained() const that returns "
                "std::vector<named_store<Backend>>: what optimisers change");
  static_assert(!(has_views && has_step && has_trained) || has_predictors,
                "comodal: a semi_supervised_method needs a member predictors() const that returns "
                "std::vector<named_network<Backend>>: what may predict, the default first");
  static_assert(!(has_views && has_step && has_trained && has_predictors) || has_save,
                "comodal: a semi_supervised_method needs a member save(safetensors_file&) const");
  static_assert(!(has_views && has_step && has_trained && has_predictors && has_save) || has_load,
                "comodal: a semi_supervised_method needs a member load(const safetensors_file&)");
  constexpr bool complete = has_views && has_step && has_trained && has_predictors && has_save && has_load;
  constexpr bool update_fits = ssl_detail::calls_after_update<T> || !ssl_detail::names_after_update<T>;
  constexpr bool validation_fits = ssl_detail::calls_on_validation<T> || !ssl_detail::names_on_validation<T>;
  constexpr bool rounds_fit = ssl_detail::calls_between_rounds<T> || !ssl_detail::names_between_rounds<T>;
  static_assert(!complete || update_fits,
                "comodal: after_update of a semi_supervised_method must take (const step_request&)");
  static_assert(!(complete && update_fits) || validation_fits,
                "comodal: on_validation of a semi_supervised_method must take (const validation_scores&)");
  static_assert(!(complete && update_fits && validation_fits) || rounds_fit,
                "comodal: between_rounds of a semi_supervised_method must take (const case_predictor&)");
  if constexpr (complete && update_fits && validation_fits && rounds_fit) ssl_detail::check_results<T, Backend>();
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
