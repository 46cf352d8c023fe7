// SPDX-License-Identifier: Apache-2.0
/// @file
/// The multi-modal network: one stream per modality, fusion between the stages, a fused decoder and a light decoder per
/// modality.
#ifndef COMODAL_MODEL_NETWORK_HPP
#define COMODAL_MODEL_NETWORK_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/model/fusion_stage.hpp>
#include <comodal/model/network_heads.hpp>

#include <map>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

/// What a network returns. Logits are (N, D, H, W, classes).
template <tensor_backend Backend>
struct network_output {
  variable<Backend> fused;                  // z_f
  std::vector<variable<Backend>> branches;  // z_m, one per modality; empty if they were not asked for or do not exist
  std::vector<variable<Backend>>
      features;                         // U^s, the fused maps, finest first; may be empty if they were not asked for
  std::vector<variable<Backend>> deep;  // z_f at coarser stages under deep supervision, finer first
  std::map<std::string, variable<Backend>> heads{};  // further outputs of the network by name, such as a distance map;
                                                     // none where only the fused logits were asked for
  // F~_m^s, the enhanced maps [stage][modality], finest stage first: of networks with branches, where they were asked
  // for. Those of an absent modality mean nothing.
  std::vector<std::vector<variable<Backend>>> streams{};
};

/// A type that segments M volumes: `forward(volumes, present, request)`, `modalities()`, `parameters()`.
template <class T, class Backend>
concept segmentation_network = requires(const T& network, const std::vector<variable<Backend>>& volumes,
                                        const presence<Backend>& present, const forward_request& request) {
  { network.forward(volumes, present, request) } -> std::same_as<network_output<Backend>>;
  { network.modalities() } -> std::convertible_to<index>;
  { network.parameters() } -> std::same_as<const parameter_store<Backend>&>;
};

/// Says in plain words which member of a segmentation network is missing; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_segmentation_network() {
  if constexpr (!requires(const T& n, const std::vector<variable<Backend>>& v, const presence<Backend>& p,
                          const forward_request& r) { n.forward(v, p, r); })
    static_assert(detail::never<T>,
                  "comodal: a segmentation_network needs a member forward(volumes, present, const forward_request& "
                  "request) const that returns "
                  "network_output<Backend>");
  else if constexpr (!requires(const T& n) { n.modalities(); })
    static_assert(detail::never<T>, "comodal: a segmentation_network needs a member modalities() const");
  else if constexpr (!requires(const T& n) { n.parameters(); })
    static_assert(
        detail::never<T>,
        "comodal: a segmentation_network needs a member parameters() const that returns its parameter_store<Backend>");
  else if constexpr (!segmentation_network<T, Backend>)
    static_assert(detail::never<T>,
                  "comodal: a member of this segmentation_network has another return type than the concept asks for");
}

/// Stage s of an encoder; computed again in the backward pass where s < `checkpointed`.
template <tensor_backend Backend, modality_encoder<Backend> Encoder>
[[nodiscard]] variable<Backend> encode(const Encoder& encoder, int s, const variable<Backend>& x, int checkpointed,
                                       const forward_request& request = {}) {
  return checkpoint_if<Backend>(
      s < checkpointed, {x}, [encoder, s, request](const auto& v) { return encoder.encode_stage(s, v[0], request); });
}

/// Streams that exchange what they fused, stage by stage (method.md section 1). The types of encoder, fusion stage and
/// decoder are compile-time choices; `any_encoder`, `any_fusion` and `any_decoder` move the choice to run time.
template <tensor_backend Backend, modality_encoder<Backend> Encoder, fusion_stage<Backend> Fusion,
          decoder<Backend> Decoder>
class multimodal_network {
 public:
  /// @param store the parameters that the parts were made from
  /// @param encoders one per modality, all with as many stages as there are fusion stages (or all the same one: shared
  /// weights)
  /// @param fusion one per stage, finest first
  /// @param branch_decoders one per modality, or none
  /// @param checkpointed finest stages whose streams and fused maps are computed again in the backward pass instead of
  /// being kept
  /// @param heads further outputs
  /// @throws config_error where the numbers do not fit
  multimodal_network(std::shared_ptr<parameter_store<Backend>> store, std::vector<Encoder> encoders,
                     std::vector<Fusion> fusion, Decoder fused_decoder, std::vector<Decoder> branch_decoders,
                     int checkpointed = 0, network_heads<Backend, Decoder> heads = {})
      : m_store(std::move(store)),
        m_encoders(std::move(encoders)),
        m_fusion(std::move(fusion)),
        m_fused_decoder(std::move(fused_decoder)),
        m_branch_decoders(std::move(branch_decoders)),
        m_checkpointed(checkpointed),
        m_heads(std::move(heads)) {
    if (m_encoders.empty()) throw config_error("multimodal_network: no encoder");
    for (const auto& encoder : m_encoders)
      if (encoder.stages() != static_cast<int>(m_fusion.size()))
        throw config_error(text("multimodal_network: an encoder of ", encoder.stages(), " stages with ",
                                m_fusion.size(), " fusion stages"));
    if (!m_branch_decoders.empty() && m_branch_decoders.size() != m_encoders.size())
      throw config_error(text("multimodal_network: ", m_branch_decoders.size(), " branch decoders for ",
                              m_encoders.size(), " modalities"));
  }

  [[nodiscard]] index modalities() const { return static_cast<index>(m_encoders.size()); }
  [[nodiscard]] const parameter_store<Backend>& parameters() const { return *m_store; }
  [[nodiscard]] const std::vector<Fusion>& fusion() const { return m_fusion; }

  /// @param volumes one per modality, (N, D, H, W, 1); what stands in an absent one is never used
  /// @throws shape_error for a wrong number of volumes or different shapes
  [[nodiscard]] network_output<Backend> forward(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present,
                                                const forward_request& request = {}) const {
    auto maps = present_volumes("multimodal_network", volumes, present, modalities());
    network_output<Backend> out;
    const bool branches = request.outputs != network_outputs::fused_only && !m_branch_decoders.empty();
    std::vector<std::vector<variable<Backend>>> skips(branches ? m_encoders.size() : 0);
    auto& ctx = maps.front().ctx();
    for (std::size_t s = 0; s < m_fusion.size(); ++s) {
      for (std::size_t m = 0; m < maps.size(); ++m) {
        const layer_scope at(ctx, "stream", m, "stage", s);
        maps[m] = encode(m_encoders[m], static_cast<int>(s), maps[m], m_checkpointed, request);
      }
      {
        const layer_scope at(ctx, "fusion", s);
        out.features.push_back(fuse(s, maps, present, s == 0 ? variable<Backend>{} : out.features.back(), request));
      }
      if (s + 1 < m_fusion.size() || branches) {
        const layer_scope at(ctx, "enhancement", s);
        maps = m_fusion[s].enhance(maps, out.features.back(), request);
      }
      for (std::size_t m = 0; m < skips.size(); ++m) skips[m].push_back(maps[m]);
      if (branches && request.outputs == network_outputs::all) out.streams.push_back(maps);
    }
    variable<Backend> map;
    {
      const layer_scope at(ctx, "decoder");
      auto decoded = decode_with_map<Backend>(m_fused_decoder, out.features, request);
      out.deep = std::move(decoded.logits);
      map = std::move(decoded.map);
    }
    out.fused = out.deep.front();
    out.deep.erase(out.deep.begin());
    if (request.outputs != network_outputs::fused_only) out.heads = m_heads(out.features, map, request);
    for (std::size_t m = 0; m < skips.size(); ++m) {
      const layer_scope at(ctx, "branch", m);
      out.branches.push_back(m_branch_decoders[m].decode(skips[m], request).front());
    }
    return out;
  }

 private:
  [[nodiscard]] variable<Backend> fuse(std::size_t s, const std::vector<variable<Backend>>& maps,
                                       const presence<Backend>& present, const variable<Backend>& finer,
                                       const forward_request& request) const {
    auto inputs = maps;
    if (finer) inputs.push_back(finer);
    return checkpoint_if<Backend>(static_cast<int>(s) < m_checkpointed, inputs,
                                  [stage = m_fusion[s], present, count = maps.size(), request](const auto& v) {
                                    return stage.fuse({v.begin(), v.begin() + static_cast<std::ptrdiff_t>(count)},
                                                      present, v.size() > count ? v.back() : variable<Backend>{},
                                                      request);
                                  });
  }

  std::shared_ptr<parameter_store<Backend>> m_store;
  std::vector<Encoder> m_encoders;
  std::vector<Fusion> m_fusion;
  Decoder m_fused_decoder;
  std::vector<Decoder> m_branch_decoders;
  int m_checkpointed;
  network_heads<Backend, Decoder> m_heads;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
