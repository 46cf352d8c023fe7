// SPDX-License-Identifier: Apache-2.0
/// @file
/// Mutual consistency (MC-Net+; Wu et al., Medical Image Analysis 2022): decoders of the same maps that up-sample in
/// other ways learn each other's sharpened predictions.
#ifndef COMODAL_SSL_MUTUAL_CONSISTENCY_HPP
#define COMODAL_SSL_MUTUAL_CONSISTENCY_HPP

#include <comodal/loss/sharpened_consistency.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `mutual_consistency`, the table [method.mutual_consistency].
struct mutual_consistency_options : consistency_options {
  static constexpr std::string_view name = "mutual_consistency";

  std::vector<std::string> decoders{"unet_trilinear", "unet_nearest"};
  double sharpen = 0.1;
  bool detach = true;

  mutual_consistency_options() { consistency = 1; }

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    consistency_options::visit(o, visit);
    visit("decoders", o.decoders, "further decoders of the fused maps, besides model.decoder");
    visit("sharpen", o.sharpen, "temperature of the targets; lower is sharper");
    visit("detach", o.detach, "true: targets receive no gradient");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    check_consistency_options(*this);
    expect_option(sharpen > 0 && sharpen <= 100, text("method.", name, ".sharpen"), sharpen,
                  "a number above 0 and up to 100");
    if (decoders.empty() || decoders.size() > 8)
      throw config_error(text("method.", name, ".decoders: ", decoders.size(),
                              " decoders, expected 1 to 8 besides the network's own; [\"unet_trilinear\", "
                              "\"unet_nearest\"] is usual"));
  }
};

/// L_sup, with the mean over the decoders in place of the fused output's loss, + ramp . consistency .
/// `sharpened_consistency` of all decoders on labelled and unlabelled crops. The network's own decoder predicts.
template <tensor_backend Backend>
class mutual_consistency : public averaged_student<Backend> {
  using base = averaged_student<Backend>;

 public:
  using options_type = mutual_consistency_options;

  /// @throws config_error for a decoder that the program lacks
  mutual_consistency(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options, further_decoders(options)), m_options(options) {}

  [[nodiscard]] batch_views views() const { return {.weak = 0, .box_mix = false, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "mutual consistency");
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const auto out = base::student().forward(input.volumes, input.present,
                                             request.pass(network_outputs::logits, forward_mode::train));
    std::vector<variable<Backend>> all{out.fused}, labelled;
    for (std::size_t i = 0; i < m_options.decoders.size(); ++i) {
      all.push_back(out.heads.at(head_name(i)));
      labelled.push_back(slice(all.back(), 0, 0, crops.labelled.samples));
    }
    const auto supervised = base::supervised(out, crops.labelled, labelled);
    const auto consistency =
        mean(sharpened_consistency{base::targets().kind, m_options.sharpen, m_options.detach}(all));
    const auto loss = supervised + scale(consistency, ramp_up(request, m_options.ramp) * m_options.consistency);
    base::home().backward(loss);
    return {{"loss", loss}, {"supervised", supervised}, {"consistency", consistency}};
  }

 private:
  static std::string head_name(std::size_t i) { return text("decoder_", i + 2); }
  static std::vector<network_head> further_decoders(const options_type& options) {
    std::vector<network_head> heads;
    for (std::size_t i = 0; i < options.decoders.size(); ++i)
      heads.push_back({head_name(i), options.decoders[i], 0, text("method.", options_type::name, ".decoders")});
    return heads;
  }

  options_type m_options;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
