// SPDX-License-Identifier: Apache-2.0
/// @file
/// Correlation-aware mutual learning (CAML; Gao et al., MICCAI 2023): two students learn each other's sharpened
/// predictions, and agree on how voxels resemble labelled ones.
#ifndef COMODAL_SSL_CORRELATION_AWARE_MUTUAL_LEARNING_HPP
#define COMODAL_SSL_CORRELATION_AWARE_MUTUAL_LEARNING_HPP

#include <comodal/loss/feature_losses.hpp>
#include <comodal/loss/sharpened_consistency.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/constant_function.hpp>
#include <comodal/ssl/parts/labelled_memory.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `correlation_aware_mutual_learning`, the table [method.correlation_aware_mutual_learning].
struct correlation_aware_mutual_learning_options : consistency_options {
  static constexpr std::string_view name = "correlation_aware_mutual_learning";

  double sharpen = 0.1;
  double correlation = 0.05;
  double temperature = 0.1;
  index positions = 1024;
  index memory = 256;

  correlation_aware_mutual_learning_options() { consistency = 1; }

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    consistency_options::visit(o, visit);
    visit("sharpen", o.sharpen, "temperature of the targets; lower is sharper");
    visit("correlation", o.correlation, "weight of the agreement of correlations");
    visit("temperature", o.temperature, "temperature of the correlations");
    visit("positions", o.positions, "voxels per crop whose correlations are compared");
    visit("memory", o.memory, "labelled voxels per class that they are correlated with");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    const auto key = [](std::string_view of) { return text("method.", name, '.', of); };
    check_consistency_options(*this);
    expect_above(key("sharpen"), sharpen, 0, 100);
    expect_between(key("correlation"), correlation, 0, 1000);
    expect_between(key("temperature"), temperature, 0.001, 1000);
    expect_between(key("positions"), static_cast<double>(positions), 1, 65536);
    expect_between(key("memory"), static_cast<double>(memory), 1, 65536);
  }
};

/// Sum over both students of L_sup + ramp . (consistency . `sharpened_consistency` of both on all crops + correlation .
/// L_corr). Each student has an embedding of 64 channels: a 1x1x1 convolution of the fused decoder's finest map. L_corr
/// is the mean, over drawn voxels of unlabelled crops in which both students say the same class, of the cross-entropy
/// of the soft-max of one student's similarities with the labelled voxels in memory and that of the other.
template <tensor_backend Backend>
class correlation_aware_mutual_learning : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = correlation_aware_mutual_learning_options;

  /// @throws config_error for a decoder that hands out no map
  correlation_aware_mutual_learning(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options, {embedding()}),
        m_second(setup.network(1, {embedding()})),
        m_options(options),
        m_classes(setup.targets().channels + (setup.targets().kind == label_kind::regions ? 1 : 0)),
        m_memory{labelled_memory<Backend>(base::home(), m_classes, options.memory, width),
                 labelled_memory<Backend>(base::home(), m_classes, options.memory, width)} {}

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "correlation-aware mutual learning");
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto pass = [&](const any_network<Backend>& student, std::uint32_t number) {
      return student.forward(input.volumes, input.present,
                             request.pass(network_outputs::logits, forward_mode::train, number));
    };
    const std::array<network_output<Backend>, 2> out{pass(base::student(), 0), pass(m_second, 1)};
    const auto supervised = base::supervised(out[0], crops.labelled) + base::supervised(out[1], crops.labelled);
    const auto consistency =
        mean(sharpened_consistency{base::targets().kind, m_options.sharpen}(std::vector{out[0].fused, out[1].fused}));
    remember(out, crops.labelled, request);
    const auto correlation = correlated(out, crops.labelled.samples, request);
    const auto loss = supervised + scale(consistency * m_options.consistency + correlation * m_options.correlation,
                                         ramp_up(request, m_options.ramp));
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}, {"correlation", correlation}};
  }

  [[nodiscard]] std::vector<named_store<Backend>> trained() const {
    auto all = base::trained();
    all.push_back({"second", &m_second.parameters()});
    return all;
  }
  [[nodiscard]] std::vector<named_network<Backend>> predictors() const {
    auto all = base::predictors();
    all.push_back({"second", m_second});
    return all;
  }
  void save(safetensors_file& file) const {
    for (std::size_t k = 0; k < 2; ++k) m_memory[k].save(base::home().ctx(), text("memory.", k), file);
  }
  void load(const safetensors_file& file) {
    for (std::size_t k = 0; k < 2; ++k) m_memory[k].load(base::home().ctx(), text("memory.", k), file);
  }

 private:
  using outputs = std::array<network_output<Backend>, 2>;
  static constexpr index width = 64;
  static constexpr index kept_per_crop = 32;  // labelled voxels per class that a crop adds to the memory

  static network_head embedding() { return {"embedding", "", width}; }

  // The same number of places for every class.
  [[nodiscard]] drawn_positions<Backend> draw(const outputs& out, const variable<Backend>& target, index first,
                                              index last, index share, const step_request& request,
                                              std::string_view stream) const {
    const label_kind kind = base::targets().kind;
    const auto says = [&](std::size_t k) { return probabilities(slice(detach(out[k].fused), 0, first, last), kind); };
    const auto groups = agreed_classes(says(0), says(1), target, kind);
    const std::vector<index> places(static_cast<std::size_t>(m_classes), share);
    return draw_positions<Backend>(base::home(), groups, places, request, stream);
  }
  // Unit embeddings of student k at drawn voxels, (N, K, width).
  [[nodiscard]] static variable<Backend> embedded(const network_output<Backend>& out, index first, index last,
                                                  const drawn_positions<Backend>& at) {
    const auto map = slice(out.heads.at("embedding"), 0, first, last);
    return l2_normalize(gather(reshape(map, {map.extent(0), map.shape().product(1, 4), width}), at), 2);
  }
  // Voxels of labelled crops that both students get right.
  void remember(const outputs& out, const device_crops<Backend>& labelled, const step_request& request) {
    const no_grad_scope<Backend> quiet(base::home());
    const auto at = draw(out, one_hot(base::targets(), labelled), 0, labelled.samples,
                         std::min(kept_per_crop, std::max<index>(1, m_options.memory / labelled.samples)), request,
                         "labelled voxels");
    for (std::size_t k = 0; k < 2; ++k) m_memory[k].remember(embedded(out[k], 0, labelled.samples, at), at, request);
  }
  [[nodiscard]] variable<Backend> correlated(const outputs& out, index labelled, const step_request& request) const {
    const index all = out[0].fused.extent(0);
    const auto at =
        draw(out, {}, labelled, all, std::max<index>(1, m_options.positions / m_classes), request, "unlabelled voxels");
    const auto similar = [&](std::size_t k) {
      const auto e = embedded(out[k], labelled, all, at);
      return m_memory[k].similarities(reshape(e, {e.extent(0) * e.extent(1), width}), m_options.temperature);
    };
    const auto losses = soft_cross_entropy(similar(0), similar(1));  // (A, 1)
    const auto filled = reshape(at.filled, losses.shape());
    return divide(sum(losses * filled), constant_function(ssl_detail::at_least_number{1}, sum(filled)));
  }

  any_network<Backend> m_second;
  options_type m_options;
  index m_classes;  // groups of voxels: regions have one more, for none of them
  std::array<labelled_memory<Backend>, 2> m_memory;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
