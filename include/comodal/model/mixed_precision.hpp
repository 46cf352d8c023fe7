// SPDX-License-Identifier: Apache-2.0
/// @file
/// Mixed precision (Micikevicius et al. 2018, arXiv 1710.03740, with bfloat16 in place of half, so without loss
/// scaling): a network whose maps are bfloat16, with parameters, statistics, accumulators, losses and updates in float.
#ifndef COMODAL_MODEL_MIXED_PRECISION_HPP
#define COMODAL_MODEL_MIXED_PRECISION_HPP

#include <comodal/autograd/cast.hpp>
#include <comodal/model/any_network.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// The back end of the inner network of mixed precision.
template <tensor_backend Backend>
using bfloat16_backend = kokkos_backend<typename Backend::space_type, bfloat16, false, typename Backend::engines_type>;

/// True where networks that are made by name may be of mixed precision.
template <tensor_backend Backend>
inline constexpr bool mixed_precision_available_v = requires { requires Backend::is_mixed; };

/// A segmentation network of `Backend` that computes with an inner one of `Inner`: inputs and parameters are rounded to
/// its scalar in each forward pass, logits come back in `Backend`'s. Optimisers, averages and files see the parameters
/// of `Backend` alone (the masters).
template <tensor_backend Backend, tensor_backend Inner = bfloat16_backend<Backend>, class Network = any_network<Inner>>
class mixed_precision_network {
 public:
  /// @param home where the masters live
  /// @param seed decides their initial values, which are those of a network of `Backend` that is built alike
  /// @param build makes the inner network: `Network build(std::shared_ptr<parameter_store<Inner>>)`
  template <class Build>
  mixed_precision_network(tape<Backend>& home, std::uint64_t seed, const Build& build)
      : m_shared(std::make_shared<shared>(home, seed)), m_network(build(m_shared->copies)) {
    check_segmentation_network<Network, Inner>();
  }

  [[nodiscard]] index modalities() const { return m_network.modalities(); }
  [[nodiscard]] const parameter_store<Backend>& parameters() const { return *m_shared->masters; }
  [[nodiscard]] const Network& inner() const { return m_network; }

  /// @param volumes one a modality, (N, D, H, W, 1); what stands in an absent one is never used
  /// @throws shape_error as the inner network does
  [[nodiscard]] network_output<Backend> forward(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present,
                                                network_outputs outputs = network_outputs::all) const {
    shared& at = *m_shared;
    at.copy_masters();
    at.masters->home().on_way_back([kept = m_shared] { kept->hand_gradients_on(); });
    const auto result = m_network.forward(all(volumes, at.home), presence<Inner>(at.home, present), outputs);
    tape<Backend>& home = at.masters->home();
    network_output<Backend> out{cast(result.fused, home), all(result.branches, home), {}, all(result.deep, home)};
    if (outputs == network_outputs::all) out.features = all(result.features, home);
    return out;
  }

 private:
  struct shared {
    context<Inner> ctx;
    tape<Inner> home;
    std::shared_ptr<parameter_store<Backend>> masters;
    std::shared_ptr<parameter_store<Inner>> copies;  // in the order of the masters

    shared(tape<Backend>& outer, std::uint64_t seed)
        : ctx(outer.ctx()),
          home(ctx, outer),
          masters(std::make_shared<parameter_store<Backend>>(outer, seed)),
          copies(std::make_shared<parameter_store<Inner>>(home, masters)) {}
    shared(const shared&) = delete;
    shared& operator=(const shared&) = delete;

    // Into fresh tensors: what an earlier forward pass kept for its way back stays as it was.
    void copy_masters() {
      const operation_scope scope(ctx, "cast");
      for (std::size_t i = 0; i < masters->all().size(); ++i)
        copies->all()[i].value.assign(ops::cast(ctx, masters->all()[i].value.value()));
    }
    // The gradients that one forward pass left in the copies, added to those of the masters.
    void hand_gradients_on() {
      const operation_scope scope(ctx, "cast", true);
      for (std::size_t i = 0; i < masters->all().size(); ++i) {
        const variable<Inner>& copy = copies->all()[i].value;
        if (!copy.grad()) continue;
        const variable<Backend>& master = masters->all()[i].value;
        master.sink().accumulate(ops::cast(master.ctx(), copy.grad()));
        copy.zero_grad();
      }
    }
  };

  template <tensor_backend To, tensor_backend From>
  static std::vector<variable<To>> all(const std::vector<variable<From>>& maps, tape<To>& home) {
    std::vector<variable<To>> out;
    for (const auto& map : maps) out.push_back(cast(map, home));
    return out;
  }

  std::shared_ptr<shared> m_shared;
  Network m_network;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
