// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a method is made from when it is made by name.
#ifndef COMODAL_SSL_METHOD_SETUP_HPP
#define COMODAL_SSL_METHOD_SETUP_HPP

#include <comodal/loss/loss_registry.hpp>
#include <comodal/model/any_network.hpp>
#include <comodal/model/network_options.hpp>
#include <comodal/ssl/targets.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// The networks and losses of a method that is made by name. The method's constructor takes from it what it needs; it
/// does not outlive the constructor.
template <tensor_backend Backend>
class method_setup {
 public:
  using network_maker =
      std::function<any_network<Backend>(std::uint32_t number, const std::vector<network_head>& heads)>;

  /// @param network makes networks of these options @param chosen, losses the losses, and what their names stand for
  /// @param seed of the run
  method_setup(target_map targets, const network_options& options, network_maker network, const loss_options& chosen,
               const loss_registry<Backend>& losses, std::uint64_t seed)
      : m_targets(std::move(targets)),
        m_options(options),
        m_network(std::move(network)),
        m_chosen(chosen),
        m_losses(losses),
        m_seed(seed) {}
  method_setup(const method_setup&) = delete;
  method_setup& operator=(const method_setup&) = delete;

  [[nodiscard]] const target_map& targets() const { return m_targets; }
  /// Makes a network. Networks of one number have the same initial weights: a student and the teacher that follows it
  /// take one number, students that must differ take several.
  /// @param heads further outputs, which land in `network_output::heads`. They leave the other initial weights as they
  /// are, and `predict` needs none of them
  [[nodiscard]] any_network<Backend> network(std::uint32_t number, const std::vector<network_head>& heads = {}) const {
    return m_network(number, heads);
  }
  /// For the initial values of parameters that are a method's own.
  [[nodiscard]] std::uint64_t seed() const { return m_seed; }
  /// What the networks are made with.
  [[nodiscard]] const network_options& options() const { return m_options; }
  /// The losses that the experiment names. @throws config_error for a name that the program lacks
  [[nodiscard]] any_segmentation_loss<Backend> segmentation_loss() const {
    m_uses_segmentation = true;
    return m_losses.make_segmentation_loss(m_chosen.segmentation, m_targets.kind);
  }
  [[nodiscard]] any_consistency_loss<Backend> consistency_loss() const {
    m_uses_consistency = true;
    return m_losses.make_consistency_loss(m_chosen.consistency, m_targets.kind);
  }
  /// None: the method makes its own.
  [[nodiscard]] std::optional<any_contrastive_loss<Backend>> contrastive_loss() const {
    m_uses_contrastive = true;
    return m_losses.make_contrastive_loss(m_chosen.contrastive, m_targets.kind);
  }

  /// @throws config_error for a loss that was chosen and that the method did not ask for
  void refuse_unused(std::string_view method) const {
    const loss_options defaults;
    const auto refuse = [&](bool used, const char* key, const std::string& chosen, const std::string& otherwise) {
      if (!used && chosen != otherwise)
        throw config_error(text("loss.", key, " = '", chosen, "': the method '", method, "' uses no ", key,
                                " loss; leave it out, or choose another method"));
    };
    refuse(m_uses_segmentation, "segmentation", m_chosen.segmentation.name, defaults.segmentation.name);
    refuse(m_uses_consistency, "consistency", m_chosen.consistency.name, defaults.consistency.name);
    refuse(m_uses_contrastive, "contrastive", m_chosen.contrastive.name, defaults.contrastive.name);
  }

 private:
  target_map m_targets;
  const network_options& m_options;
  network_maker m_network;
  const loss_options& m_chosen;
  const loss_registry<Backend>& m_losses;
  std::uint64_t m_seed;
  mutable bool m_uses_segmentation = false, m_uses_consistency = false, m_uses_contrastive = false;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
