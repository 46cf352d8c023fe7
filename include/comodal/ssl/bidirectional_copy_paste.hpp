// SPDX-License-Identifier: Apache-2.0
/// @file
/// Bidirectional copy-paste (BCP; Bai et al., CVPR 2023): labelled and unlabelled crops are pasted into each other both
/// ways; true labels supervise the one part, the teacher's hard labels the other.
#ifndef COMODAL_SSL_BIDIRECTIONAL_COPY_PASTE_HPP
#define COMODAL_SSL_BIDIRECTIONAL_COPY_PASTE_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/copy_paste.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `bidirectional_copy_paste`, the table [method.bidirectional_copy_paste].
struct bidirectional_copy_paste_options {
  static constexpr std::string_view name = "bidirectional_copy_paste";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the teacher's weights
  double ramp = 0.4;           // fraction of the run over which the weight of pseudo-labelled voxels rises
  double pseudo_weight = 0.5;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit("pseudo_weight", o.pseudo_weight,
          "weight of pseudo-labelled voxels at the end of the ramp; labelled ones weigh 1");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_teacher_options(*this);
    expect_between(text("method.", name, ".pseudo_weight"), pseudo_weight, 0, 1000);
  }
};

/// l(known voxels, true labels) + ramp . pseudo_weight . l(other voxels, the teacher's hard labels), on mixtures alone;
/// l is the supervised loss over these voxels.
template <tensor_backend Backend>
class bidirectional_copy_paste : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = bidirectional_copy_paste_options;

  bidirectional_copy_paste(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options), m_options(options) {}

  [[nodiscard]] batch_views views() const { return {.box_mix = false, .box_masks = true, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "bidirectional copy-paste");
    const device_batch<Backend> crops(base::home(), batch);
    const copy_paste<Backend> mix(crops.labelled, crops.strong);
    const label_kind kind = base::targets().kind;
    const auto seen = base::teacher().forward(crops.weak.volumes, crops.weak.present,
                                              request.pass(network_outputs::fused_only, forward_mode::evaluate));
    const auto target =
        detach(mix.mixed(one_hot(base::targets(), crops.labelled), hard_labels(probabilities(seen.fused, kind), kind)));

    const auto out = base::student().forward(mix.volumes(), mix.present(),
                                             request.pass(network_outputs::logits, forward_mode::train));
    // Pseudo-labels name every class; true ones those that are annotated.
    const auto& annotated = crops.labelled.annotated;
    const known_classes<Backend> classes(kind, annotated ? mix.of_labelled(annotated) : annotated);
    const auto known = base::supervised(out, target, mix.present(), mix.known(), classes);
    const auto pseudo = base::supervised(out, target, mix.present(), detach(1.0 - mix.known()));
    const auto loss = known + scale(pseudo, ramp_up(request, m_options.ramp) * m_options.pseudo_weight);
    base::home().backward(loss);
    return {{"loss", loss}, {"known", known}, {"pseudo", pseudo}};
  }

 private:
  options_type m_options;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
