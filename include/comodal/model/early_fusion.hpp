// SPDX-License-Identifier: Apache-2.0
/// @file
/// The plain network that multi-stage fusion is compared with: all modalities side by side in the first convolution,
/// one stream.
#ifndef COMODAL_MODEL_EARLY_FUSION_HPP
#define COMODAL_MODEL_EARLY_FUSION_HPP

#include <comodal/model/network.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// Early (input-level) fusion: the modalities are the channels of one volume, an absent one is 0; one encoder, one
/// decoder, no branches.
template <tensor_backend Backend, modality_encoder<Backend> Encoder, decoder<Backend> Decoder>
class early_fusion_network {
 public:
  /// @param encoder takes (N, D, H, W, M)
  /// @param checkpointed finest stages that are computed again in the backward pass instead of being kept
  /// @param heads further outputs
  early_fusion_network(std::shared_ptr<parameter_store<Backend>> store, index modalities, Encoder encoder,
                       Decoder decoder, int checkpointed = 0, network_heads<Backend, Decoder> heads = {})
      : m_store(std::move(store)),
        m_modalities(modalities),
        m_encoder(std::move(encoder)),
        m_decoder(std::move(decoder)),
        m_checkpointed(checkpointed),
        m_heads(std::move(heads)) {
    if (modalities < 1) throw config_error(text("early_fusion_network: ", modalities, " modalities"));
  }

  [[nodiscard]] index modalities() const { return m_modalities; }
  [[nodiscard]] const parameter_store<Backend>& parameters() const { return *m_store; }

  /// @param volumes one per modality, (N, D, H, W, 1); what stands in an absent one is never used
  /// @throws shape_error for a wrong number of volumes or different shapes
  [[nodiscard]] network_output<Backend> forward(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present,
                                                const forward_request& request = {}) const {
    network_output<Backend> out;
    auto map = concat(present_volumes("early_fusion_network", volumes, present, m_modalities));
    for (int s = 0; s < m_encoder.stages(); ++s) {
      const layer_scope at(map.ctx(), "encoder stage", s);
      map = encode(m_encoder, s, map, m_checkpointed, request);
      out.features.push_back(map);
    }
    {
      const layer_scope at(map.ctx(), "decoder");
      auto decoded = decode_with_map<Backend>(m_decoder, out.features, request);
      out.deep = std::move(decoded.logits);
      map = std::move(decoded.map);
    }
    out.fused = out.deep.front();
    out.deep.erase(out.deep.begin());
    if (request.outputs != network_outputs::fused_only) out.heads = m_heads(out.features, map, request);
    return out;
  }

 private:
  std::shared_ptr<parameter_store<Backend>> m_store;
  index m_modalities;
  Encoder m_encoder;
  Decoder m_decoder;
  int m_checkpointed;
  network_heads<Backend, Decoder> m_heads;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
