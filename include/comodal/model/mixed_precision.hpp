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

/// A segmentation network of `Backend` that computes with an inner one of `Inner`: inputs are rounded to its scalar in
/// each forward pass, parameters in the first one after they changed; logits come back in `Backend`'s scalar. Gradients
/// of the inner parameters are added to those of the masters, the parameters of `Backend`, which optimisers, averages
/// and files alone see.
template <tensor_backend Backend, tensor_backend Inner = bfloat16_backend<Backend>,
          segmentation_network<Inner> Network = any_network<Inner>>
class mixed_precision_network {
 public:
  /// @param home where the masters live
  /// @param seed decides their initial values, which are those of a network of `Backend` that is built alike
  /// @param build makes the inner network: `Network build(std::shared_ptr<parameter_store<Inner>>)`
  template <class Build>
  mixed_precision_network(tape<Backend>& home, std::uint64_t seed, const Build& build)
      : m_shared(std::make_shared<shared>(home, seed)), m_network(build(m_shared->copies)) {
    m_shared->seal();
  }

  [[nodiscard]] index modalities() const { return m_network.modalities(); }
  [[nodiscard]] const parameter_store<Backend>& parameters() const { return *m_shared->masters; }
  [[nodiscard]] const Network& inner() const { return m_network; }

  /// @param volumes one per modality, (N, D, H, W, 1); what stands in an absent one is never used
  /// @throws shape_error as the inner network does
  [[nodiscard]] network_output<Backend> forward(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present,
                                                const forward_request& request = {}) const {
    shared& at = *m_shared;
    at.copy_masters();
    const auto result = m_network.forward(all(volumes, at.home), presence<Inner>(at.home, present), request);
    tape<Backend>& home = at.masters->home();
    network_output<Backend> out;
    out.fused = cast(result.fused, home);
    out.branches = all(result.branches, home);
    out.deep = all(result.deep, home);
    for (const auto& [name, head] : result.heads) out.heads.emplace(name, cast(head, home));
    if (request.outputs != network_outputs::all) return out;
    out.features = all(result.features, home);
    for (const auto& stage : result.streams) out.streams.push_back(all(stage, home));
    return out;
  }

 private:
  struct shared {
    context<Inner> ctx;
    tape<Inner> home;
    std::shared_ptr<parameter_store<Backend>> masters;
    std::shared_ptr<parameter_store<Inner>> copies;  // in the order of the masters
    detail::value_version copied = 0;                // of the masters that the copies hold

    shared(tape<Backend>& outer, std::uint64_t seed)
        : ctx(outer.ctx()),
          home(ctx, outer),
          masters(std::make_shared<parameter_store<Backend>>(outer, seed)),
          copies(std::make_shared<parameter_store<Inner>>(home, masters)) {}
    shared(const shared&) = delete;
    shared& operator=(const shared&) = delete;

    // Both arenas have the same layout, so that one kernel copies all parameters.
    void seal() {
      copies->seal();
      if (!copies->laid_out_like(*masters)) throw error("mixed precision: masters and copies are laid out differently");
      copied = *masters->version();
    }
    // In place: a backward pass of an earlier forward pass is refused once the masters have changed. A recorded step
    // copies in any case: the masters change before it is replayed.
    void copy_masters() {
      if (copied == *masters->version() && !ctx.recording()) return;
      const operation_scope scope(ctx, "cast");
      ops::cast_to(ctx, masters->values(), copies->values());
      copied = *masters->version();
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
