// SPDX-License-Identifier: Apache-2.0
/// @file
/// Supervised only: the baseline that sees the labelled crops alone.
#ifndef COMODAL_SSL_SUPERVISED_HPP
#define COMODAL_SSL_SUPERVISED_HPP

#include <comodal/core/option_range.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/ssl/method_setup.hpp>
#include <comodal/ssl/parts/ema_teacher.hpp>
#include <comodal/ssl/parts/supervised_loss.hpp>
#include <comodal/ssl/targets.hpp>

#include <optional>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `supervised`, the table [method.supervised].
struct supervised_options {
  static constexpr std::string_view name = "supervised";

  double branch_weight = 0.5;
  std::string weights = "ema";
  double ema_decay = 0.99;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit("branch_weight", o.branch_weight, "weight of the branches' losses beside the fused one's");
    visit("weights", o.weights, "what predicts: ema: averaged weights; student: the last ones, and no average is kept");
    visit("ema_decay", o.ema_decay, "decay of the averaged weights");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    expect_between("method.supervised.branch_weight", branch_weight, 0, 100);
    expect_one_of("method.supervised.weights", weights, {"ema", "student"});
    expect_option(ema_decay >= 0 && ema_decay < 1, "method.supervised.ema_decay", ema_decay,
                  "0 or more and less than 1");
  }
};

/// L_sup of method.md section 3 on the labelled crops.
template <tensor_backend Backend, segmentation_network<Backend> Network,
          segmentation_loss<Backend> Loss = dice_cross_entropy>
class supervised {
 public:
  using options_type = supervised_options;

  /// @param average built like the student; empty: no average is kept
  /// @param loss of the fused output and of the branches
  /// @throws config_error as `supervised_options::check`, and where `options.weights` and `average` do not fit
  supervised(Network student, std::optional<Network> average, const target_map& targets,
             const supervised_options& options, Loss loss)
      : m_student(std::move(student)), m_targets(targets), m_options(options), m_loss(std::move(loss)) {
    options.check();
    if (average.has_value() != (options.weights == "ema"))
      throw config_error(text("supervised: method.supervised.weights = '", options.weights, "' with ",
                              average ? "a" : "no", " network for averages"));
    if (average) m_average.emplace(std::move(*average), m_student.parameters(), options.ema_decay);
  }
  supervised(Network student, std::optional<Network> average, const target_map& targets,
             const supervised_options& options)
    requires std::same_as<Loss, dice_cross_entropy>
      : supervised(std::move(student), std::move(average), targets, options, {1, 1, 1, targets.kind}) {}

  /// The method as it is made by name.
  supervised(const method_setup<Backend>& setup, const supervised_options& options)
    requires std::same_as<Network, any_network<Backend>> && std::same_as<Loss, any_segmentation_loss<Backend>>
      : supervised(setup.network(0), options.weights == "ema" ? std::optional(setup.network(0)) : std::nullopt,
                   setup.targets(), options, setup.segmentation_loss()) {}

  [[nodiscard]] batch_views views() const {
    batch_views views = batch_views::labelled_only();
    views.partial_labels = true;
    return views;
  }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    tape<Backend>& home = m_student.parameters().home();
    const device_batch<Backend> crops(home, batch);
    const network_input<Backend> input({&crops.labelled});
    const auto target = one_hot(m_targets, crops.labelled);
    const auto out =
        m_student.forward(input.volumes, input.present, request.pass(network_outputs::logits, forward_mode::train));
    const variable<Backend> all_voxels;
    const auto loss = supervised_loss(m_loss, out, target, input.present, m_options.branch_weight, all_voxels, {},
                                      known_classes_of(m_targets, crops.labelled));
    home.backward(loss);
    return {{"loss", loss}};
  }
  void after_update(const step_request& request) {
    if (m_average) m_average->follow(m_student.parameters(), request);
  }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const { return {{"student", &m_student.parameters()}}; }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    if (m_average) return {{"ema", m_average->network()}, {"student", m_student}};
    return {{"student", m_student}};
  }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  Network m_student;
  std::optional<ema_teacher<Backend, Network>> m_average;
  target_map m_targets;
  supervised_options m_options;
  Loss m_loss;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
