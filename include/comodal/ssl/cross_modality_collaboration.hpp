// SPDX-License-Identifier: Apache-2.0
/// @file
/// Cross-modality collaboration (CMC; Zhou et al., MICCAI 2024): on unlabelled crops the deepest features of two
/// modalities agree channel by channel, and the predictions of their branches overlap.
#ifndef COMODAL_SSL_CROSS_MODALITY_COLLABORATION_HPP
#define COMODAL_SSL_CROSS_MODALITY_COLLABORATION_HPP

#include <comodal/loss/channel_contrast.hpp>
#include <comodal/loss/consistency_loss.hpp>
#include <comodal/loss/contrastive_loss.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/foreground_maps.hpp>
#include <comodal/ssl/parts/pairs.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `cross_modality_collaboration`, the table [method.cross_modality_collaboration].
struct cross_modality_collaboration_options {
  static constexpr std::string_view name = "cross_modality_collaboration";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the averaged weights
  double ramp = 0.4;           // fraction of the run over which unlabelled terms rise
  double channel_contrast = 1;
  double overlap = 0.2;
  double temperature = 0.5;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit("channel_contrast", o.channel_contrast, "weight of the contrast between channels");
    visit("overlap", o.overlap, "weight of the overlap of the branches' predictions");
    visit("temperature", o.temperature, "temperature of the contrast");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between(text("method.", name, ".channel_contrast"), channel_contrast, 0, 1000);
    expect_between(text("method.", name, ".overlap"), overlap, 0, 1000);
    expect_between(text("method.", name, ".temperature"), temperature, 0.001, 1000);
  }
};

/// L_sup + ramp . (channel_contrast . L_csc + overlap . L_cac), both means over the pairs of modalities that an
/// unlabelled crop has: L_csc is `comodal::channel_contrast` of the deepest enhanced maps, L_cac is 1 minus the soft
/// Dice of the branches' foreground, averaged over classes.
template <tensor_backend Backend>
class cross_modality_collaboration : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = cross_modality_collaboration_options;

  /// @throws config_error for a network of one modality or without branches
  cross_modality_collaboration(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options), m_options(options) {
    expect_branches(setup.options(), base::student().modalities(), options_type::name);
  }

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "cross-modality collaboration");
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const index labelled = crops.labelled.samples, all = input.present.samples();
    const auto out =
        base::student().forward(input.volumes, input.present, request.pass(network_outputs::all, forward_mode::train));
    const auto supervised = base::supervised(out, crops.labelled);

    std::vector<variable<Backend>> features, maps;
    for (const auto& stream : out.streams.back()) {
      const auto own = slice(stream, 0, labelled, all);
      features.push_back(reshape(own, {own.extent(0), own.shape().product(1, 4), own.extent(4)}));
    }
    for (const auto& z : out.branches)
      maps.push_back(
          foreground_maps(probabilities(slice(z, 0, labelled, all), base::targets().kind), base::targets().kind));
    const comodal::channel_contrast contrast{m_options.temperature};
    const auto channels = over_pairs(input.present, labelled, features, contrast);
    const auto overlap =
        over_pairs(input.present, labelled, maps, [](const variable<Backend>& a, const variable<Backend>& b) {
          return reshape(1.0 - mean(similarity(a, b, map_similarity::soft_dice), {1, 2}), {a.extent(0)});
        });
    const auto loss = supervised + scale(channels * m_options.channel_contrast + overlap * m_options.overlap,
                                         ramp_up(request, m_options.ramp));
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"channel_contrast", channels}, {"overlap", overlap}};
  }

 private:
  // The mean over pairs of a term that is the same for (m, n) and (n, m).
  template <class Term>
  [[nodiscard]] variable<Backend> over_pairs(const presence<Backend>& present, index first,
                                             const std::vector<variable<Backend>>& of, const Term& term) const {
    std::map<std::pair<index, index>, variable<Backend>> terms;
    const auto once = [&](index m, index n) {
      auto& found = terms[std::minmax(m, n)];
      if (!found) found = term(of[static_cast<std::size_t>(m)], of[static_cast<std::size_t>(n)]);
      return found;
    };
    return mean_over_pairs(base::home(), present, first, once, [](index, index) { return variable<Backend>{}; });
  }

  options_type m_options;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
