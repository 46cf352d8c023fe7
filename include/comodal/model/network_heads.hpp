// SPDX-License-Identifier: Apache-2.0
/// @file
/// Further outputs of a network: more decoders of the fused maps, or convolutions of the fused decoder's finest map.
#ifndef COMODAL_MODEL_NETWORK_HEADS_HPP
#define COMODAL_MODEL_NETWORK_HEADS_HPP

#include <comodal/model/decoder.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A further output that a method asks its network for. Its parameters stand under "heads.NAME" beside those of the
/// network, whose own initial values stay what they are; a program that only predicts leaves them in the file.
struct network_head {
  std::string name{};     // under which it lands in `network_output::heads`
  std::string decoder{};  // a decoder of the fused maps, by name; empty: a 1x1x1 convolution of the finest decoded map
  index channels = 0;     // of the output; 0: those of the logits
  std::string key = "model.decoder";  // the key that names the decoder, for messages
};

/// The further outputs of one network, (N, D, H, W, channels) each.
template <tensor_backend Backend, decoder<Backend> Decoder>
class network_heads {
 public:
  void add(std::string name, Decoder decode) { m_decoders.emplace_back(std::move(name), std::move(decode)); }
  void add(std::string name, convolution<Backend> of_map) { m_of_map.emplace_back(std::move(name), std::move(of_map)); }
  /// @param fused the fused maps, finest first @param map the finest map of the fused decoder
  [[nodiscard]] std::map<std::string, variable<Backend>> operator()(const std::vector<variable<Backend>>& fused,
                                                                    const variable<Backend>& map,
                                                                    const forward_request& request) const {
    std::map<std::string, variable<Backend>> out;
    for (const auto& [name, decode] : m_decoders) {
      const layer_scope at(fused.front().ctx(), "head", name);
      out.emplace(name, decode.decode(fused, request).front());
    }
    for (const auto& [name, convolve] : m_of_map) {
      const layer_scope at(map.ctx(), "head", name);
      out.emplace(name, convolve(map));
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string, Decoder>> m_decoders;
  std::vector<std::pair<std::string, convolution<Backend>>> m_of_map;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
