// SPDX-License-Identifier: Apache-2.0
/// @file
/// Decoders: the maps of all stages -> logits at the finest stage, and at coarser ones under deep supervision.
#ifndef COMODAL_MODEL_DECODER_HPP
#define COMODAL_MODEL_DECODER_HPP

#include <comodal/autograd/checkpoint.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/core/ladder.hpp>
#include <comodal/model/encoder.hpp>

#include <algorithm>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// The sizes that a decoder is constructed with.
struct decoder_sizes {
  std::vector<index> channels{16, 32, 64, 128};  // of the maps, per stage, finest first
  std::vector<extent3> filters;                  // per stage; empty: 3x3x3
  std::vector<extent3> strides;                  // from stage s to s + 1; empty: 2x2x2
  index classes = 2;                             // channels of the logits
  int convolutions = 2;                          // per stage; 1: the light decoder of a branch
  bool deep_supervision = false;                 // logits at every stage but the coarsest
  int checkpointed = 0;  // finest stages that are computed again in the backward pass instead of being kept
  double dropout = 0;    // rate on the map of every stage
};

/// What a decoder makes of maps.
template <tensor_backend Backend>
struct decoder_output {
  std::vector<variable<Backend>> logits;  // finest first, at least one
  variable<Backend> map;                  // what the finest logits are made of; empty: the decoder hands none out
};

/// A type that decodes: `decode(maps, request)`, maps finest first -> logits, finest first, at least one. It may
/// also have `decode_with_map(maps, request)`, which returns a `decoder_output` of the same logits: then a method can
/// ask for further outputs of its finest map, which has as many channels as the finest of `maps`.
template <class T, class Backend>
concept decoder = requires(const T& d, const std::vector<variable<Backend>>& maps, const forward_request& request) {
  { d.decode(maps, request) } -> std::same_as<std::vector<variable<Backend>>>;
};

/// Says in plain words which member of a decoder is missing; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_decoder() {
  if constexpr (!requires(const T& d, const std::vector<variable<Backend>>& maps, const forward_request& request) {
                  d.decode(maps, request);
                })
    static_assert(detail::never<T>,
                  "comodal: a decoder needs a member decode(const std::vector<variable<Backend>>& maps, const "
                  "forward_request& request) const: maps finest first -> logits finest first");
  else if constexpr (!decoder<T, Backend>)
    static_assert(detail::never<T>, "comodal: decode() of a decoder must return std::vector<variable<Backend>>");
}

/// True if a decoder hands out its finest map.
template <class T, tensor_backend Backend>
inline constexpr bool decodes_with_map =
    requires(const T& d, const std::vector<variable<Backend>>& maps, const forward_request& request) {
      { d.decode_with_map(maps, request) } -> std::same_as<decoder_output<Backend>>;
    };

/// Logits and, where the decoder hands it out, its finest map.
template <tensor_backend Backend, decoder<Backend> Decoder>
[[nodiscard]] decoder_output<Backend> decode_with_map(const Decoder& d, const std::vector<variable<Backend>>& maps,
                                                      const forward_request& request) {
  if constexpr (decodes_with_map<Decoder, Backend>)
    return d.decode_with_map(maps, request);
  else
    return {d.decode(maps, request), {}};
}

/// The U-Net's decoder: up-sampling, the stage's map beside it, convolutions, and a 1x1x1 convolution to logits.
template <tensor_backend Backend>
class unet_decoder {
 public:
  unet_decoder(const parameter_scope<Backend>& scope, const decoder_sizes& sizes,
               up_sampling how = up_sampling::transposed)
      : m_checkpointed(sizes.checkpointed) {
    const encoder_sizes geometry{1, sizes.channels, sizes.filters, sizes.strides};
    for (int s = 0; s + 1 < geometry.stages(); ++s) {
      const auto at = scope / s;
      m_up.emplace_back(at / "up", geometry.channel(s + 1), geometry.channel(s), geometry.stride_to(s + 1), how);
      m_blocks.emplace_back(at, 2 * geometry.channel(s), geometry.channel(s), geometry.filter(s), sizes.convolutions);
      m_dropout.emplace_back(at / "dropout", sizes.dropout);
      if (s == 0 || sizes.deep_supervision)
        m_heads.emplace_back(at / "head", geometry.channel(s), sizes.classes, extent3{1, 1, 1}, true);
    }
  }
  [[nodiscard]] std::vector<variable<Backend>> decode(const std::vector<variable<Backend>>& maps,
                                                      const forward_request& request = {}) const {
    return decode_with_map(maps, request).logits;
  }
  [[nodiscard]] decoder_output<Backend> decode_with_map(const std::vector<variable<Backend>>& maps,
                                                        const forward_request& request = {}) const {
    if (maps.size() != m_up.size() + 1)
      throw shape_error(text("unet_decoder: ", maps.size(), " maps for ", m_up.size() + 1, " stages"));
    std::vector<variable<Backend>> logits;
    variable<Backend> x = maps.back();
    for (std::size_t s = m_up.size(); s-- > 0;) {
      const layer_scope at(x.ctx(), "stage", s);
      x = checkpoint_if<Backend>(
          static_cast<int>(s) < m_checkpointed, {maps[s], x},
          [up = m_up[s], block = m_blocks[s], drop = m_dropout[s], request](const std::vector<variable<Backend>>& v) {
            return drop(block({v[0], up(v[1])}), request);
          });
      if (s < m_heads.size()) logits.push_back(m_heads[s](x));
    }
    std::reverse(logits.begin(), logits.end());
    return {std::move(logits), std::move(x)};
  }

 private:
  std::vector<up_convolution<Backend>> m_up;
  std::vector<conv_block<Backend>> m_blocks;
  std::vector<feature_dropout<Backend>> m_dropout;
  std::vector<convolution<Backend>> m_heads;
  int m_checkpointed;
};

/// The U-Net's decoder with trilinear up-sampling.
template <tensor_backend Backend>
class trilinear_unet_decoder : public unet_decoder<Backend> {
 public:
  trilinear_unet_decoder(const parameter_scope<Backend>& scope, const decoder_sizes& sizes)
      : unet_decoder<Backend>(scope, sizes, up_sampling::trilinear) {}
};

/// The U-Net's decoder with nearest-neighbour up-sampling.
template <tensor_backend Backend>
class nearest_unet_decoder : public unet_decoder<Backend> {
 public:
  nearest_unet_decoder(const parameter_scope<Backend>& scope, const decoder_sizes& sizes)
      : unet_decoder<Backend>(scope, sizes, up_sampling::nearest) {}
};

/// Any decoder, chosen at run time.
template <tensor_backend Backend>
class any_decoder {
 public:
  template <class Decoder>
  explicit any_decoder(Decoder d) : m_decoder(std::make_shared<model<Decoder>>(std::move(d))) {
    check_decoder<Decoder, Backend>();
  }
  [[nodiscard]] std::vector<variable<Backend>> decode(const std::vector<variable<Backend>>& maps,
                                                      const forward_request& request = {}) const {
    return m_decoder->decode(maps, request).logits;
  }
  [[nodiscard]] decoder_output<Backend> decode_with_map(const std::vector<variable<Backend>>& maps,
                                                        const forward_request& request = {}) const {
    return m_decoder->decode(maps, request);
  }
  /// True if `decode_with_map` gives a map.
  [[nodiscard]] bool has_map() const { return m_decoder->has_map(); }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual decoder_output<Backend> decode(const std::vector<variable<Backend>>&, const forward_request&) const = 0;
    virtual bool has_map() const = 0;
  };
  template <class Decoder>
  struct model final : interface {
    explicit model(Decoder d) : inner(std::move(d)) {}
    decoder_output<Backend> decode(const std::vector<variable<Backend>>& maps,
                                   const forward_request& request) const override {
      return comodal::decode_with_map<Backend>(inner, maps, request);
    }
    bool has_map() const override { return decodes_with_map<Decoder, Backend>; }
    Decoder inner;
  };
  std::shared_ptr<const interface> m_decoder;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
