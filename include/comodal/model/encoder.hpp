// SPDX-License-Identifier: Apache-2.0
/// @file
/// Modality encoders, called stage by stage because fusion may change a map between stages: U-Net, residual and V-Net.
#ifndef COMODAL_MODEL_ENCODER_HPP
#define COMODAL_MODEL_ENCODER_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/nn/feature_dropout.hpp>
#include <comodal/nn/layers.hpp>
#include <comodal/nn/residual_block.hpp>

#include <memory>

namespace comodal::inline COMODAL_CONFIG {

/// The sizes that an encoder is constructed with. Stage 0 is the finest.
struct encoder_sizes {
  index in_channels = 1;
  std::vector<index> channels{8, 16, 32, 64};  // per stage
  std::vector<extent3> filters;                // per stage; empty: 3x3x3 everywhere
  std::vector<extent3> strides;                // from stage s to s + 1, one less than stages; empty: 2x2x2
  double dropout = 0;                          // rate on the map of every stage
  std::vector<index> blocks{};                 // per stage; empty: what the encoder has of itself

  [[nodiscard]] int stages() const { return static_cast<int>(channels.size()); }
  [[nodiscard]] extent3 filter(int s) const {
    return filters.empty() ? extent3{3, 3, 3} : filters.at(static_cast<std::size_t>(s));
  }
  [[nodiscard]] extent3 stride_to(int s) const {
    if (s == 0) return {1, 1, 1};
    return strides.empty() ? extent3{2, 2, 2} : strides.at(static_cast<std::size_t>(s) - 1);
  }
  [[nodiscard]] index channel(int s) const { return channels.at(static_cast<std::size_t>(s)); }
  /// Blocks of stage s, `otherwise` if nobody has chosen.
  [[nodiscard]] int blocks_of(int s, int otherwise) const {
    return blocks.empty() ? otherwise : static_cast<int>(blocks.at(static_cast<std::size_t>(s)));
  }
  [[nodiscard]] index in(int s) const { return s == 0 ? in_channels : channel(s - 1); }
};

/// A type that encodes one modality stage by stage: `stages()`, `channels(s)`, and `encode_stage(s, x, request)`, which
/// takes the input (s = 0) or the map of stage s - 1 and returns the map of stage s.
template <class T, class Backend>
concept modality_encoder =
    requires(const T& encoder, int s, const variable<Backend>& x, const forward_request& request) {
      { encoder.stages() } -> std::convertible_to<int>;
      { encoder.channels(s) } -> std::convertible_to<index>;
      { encoder.encode_stage(s, x, request) } -> std::same_as<variable<Backend>>;
    };

/// Says in plain words which member of a modality encoder is missing; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_modality_encoder() {
  if constexpr (!requires(const T& e) { e.stages(); })
    static_assert(detail::never<T>,
                  "comodal: a modality_encoder needs a member stages() const: how many stages it has");
  else if constexpr (!requires(const T& e, int s) { e.channels(s); })
    static_assert(detail::never<T>,
                  "comodal: a modality_encoder needs a member channels(int s) const: channels of the map of stage s");
  else if constexpr (!requires(const T& e, int s, const variable<Backend>& x, const forward_request& r) {
                       e.encode_stage(s, x, r);
                     })
    static_assert(detail::never<T>,
                  "comodal: a modality_encoder needs a member encode_stage(int s, const variable<Backend>& x, const "
                  "forward_request& request) const: the map of stage s from that of stage s - 1");
  else if constexpr (!modality_encoder<T, Backend>)
    static_assert(detail::never<T>,
                  "comodal: encode_stage() of a modality_encoder must return variable<Backend>, stages() and "
                  "channels() integers");
}

/// `blocks` convolutions per stage, two by default, max pooling between stages (3-D U-Net, Cicek et al. 2016; instance
/// norm as in nnU-Net).
template <tensor_backend Backend>
class unet_encoder {
 public:
  unet_encoder(const parameter_scope<Backend>& scope, const encoder_sizes& sizes) : m_sizes(sizes) {
    for (int s = 0; s < sizes.stages(); ++s) {
      m_blocks.emplace_back(scope / s, sizes.in(s), sizes.channel(s), sizes.filter(s), sizes.blocks_of(s, 2));
      m_dropout.emplace_back(scope / s / "dropout", sizes.dropout);
    }
  }
  [[nodiscard]] int stages() const { return m_sizes.stages(); }
  [[nodiscard]] index channels(int s) const { return m_sizes.channel(s); }
  [[nodiscard]] variable<Backend> encode_stage(int s, const variable<Backend>& x,
                                               const forward_request& request = {}) const {
    const auto at = static_cast<std::size_t>(s);
    return m_dropout.at(at)(m_blocks.at(at)(s == 0 ? x : max_pool3d(x, m_sizes.stride_to(s))), request);
  }

 private:
  encoder_sizes m_sizes;
  std::vector<conv_block<Backend>> m_blocks;
  std::vector<feature_dropout<Backend>> m_dropout;
};

/// One residual block per stage, strided convolutions between stages: lrelu(IN(conv(lrelu(IN(conv x)))) + IN(1x1x1 conv
/// x)). Where `blocks` says more, `residual_block`s follow.
template <tensor_backend Backend>
class residual_encoder {
 public:
  residual_encoder(const parameter_scope<Backend>& scope, const encoder_sizes& sizes) : m_sizes(sizes) {
    for (int s = 0; s < sizes.stages(); ++s) {
      const auto at = scope / s;
      m_stages.push_back(
          {conv_norm_act<Backend>(at / "first", sizes.in(s), sizes.channel(s), sizes.filter(s), sizes.stride_to(s)),
           convolution<Backend>(at / "second", sizes.channel(s), sizes.channel(s), sizes.filter(s)),
           normalised_activation<Backend>(at / "second_norm", sizes.channel(s), 1),
           convolution<Backend>(at / "skip", sizes.in(s), sizes.channel(s), {1, 1, 1}, false, sizes.stride_to(s)),
           normalised_activation<Backend>(at / "skip_norm", sizes.channel(s), 1),
           {},
           feature_dropout<Backend>(at / "dropout", sizes.dropout)});
      for (int b = 1; b < sizes.blocks_of(s, 1); ++b)
        m_stages.back().further.emplace_back(at / "block" / b, sizes.channel(s), sizes.channel(s), sizes.filter(s));
    }
  }
  [[nodiscard]] int stages() const { return m_sizes.stages(); }
  [[nodiscard]] index channels(int s) const { return m_sizes.channel(s); }
  [[nodiscard]] variable<Backend> encode_stage(int s, const variable<Backend>& x,
                                               const forward_request& request = {}) const {
    const stage& at = m_stages.at(static_cast<std::size_t>(s));
    auto y = leaky_relu(add(at.second_norm(at.second(at.first(x))), at.skip_norm(at.skip(x))));
    for (const auto& block : at.further) y = block(y);
    return at.dropout(y, request);
  }

 private:
  struct stage {
    conv_norm_act<Backend> first;
    convolution<Backend> second;
    normalised_activation<Backend> second_norm;
    convolution<Backend> skip;
    normalised_activation<Backend> skip_norm;
    std::vector<residual_block<Backend>> further;
    feature_dropout<Backend> dropout;
  };
  encoder_sizes m_sizes;
  std::vector<stage> m_stages;
};

/// Stages of `blocks`, by default 1, 2, 3, 3 ..., convolutions with the stage's input added to their result, strided
/// convolutions between stages (V-Net, Milletari et al. 2016; 3x3x3 filters and instance norm in place of 5x5x5 and
/// PReLU).
template <tensor_backend Backend>
class vnet_encoder {
 public:
  vnet_encoder(const parameter_scope<Backend>& scope, const encoder_sizes& sizes) : m_sizes(sizes) {
    for (int s = 0; s < sizes.stages(); ++s) {
      m_down.emplace_back(scope / s / "down", sizes.in(s), sizes.channel(s), sizes.filter(s), sizes.stride_to(s));
      m_blocks.emplace_back(scope / s, sizes.channel(s), sizes.channel(s), sizes.filter(s),
                            sizes.blocks_of(s, std::min(s + 1, 3)));
      m_dropout.emplace_back(scope / s / "dropout", sizes.dropout);
    }
  }
  [[nodiscard]] int stages() const { return m_sizes.stages(); }
  [[nodiscard]] index channels(int s) const { return m_sizes.channel(s); }
  [[nodiscard]] variable<Backend> encode_stage(int s, const variable<Backend>& x,
                                               const forward_request& request = {}) const {
    const auto at = static_cast<std::size_t>(s);
    const auto down = m_down.at(at)(x);
    return m_dropout[at](add(m_blocks[at](down), down), request);
  }

 private:
  encoder_sizes m_sizes;
  std::vector<conv_norm_act<Backend>> m_down;
  std::vector<conv_block<Backend>> m_blocks;
  std::vector<feature_dropout<Backend>> m_dropout;
};

/// Any modality encoder, chosen at run time.
template <tensor_backend Backend>
class any_encoder {
 public:
  template <class Encoder>
  explicit any_encoder(Encoder encoder) : m_encoder(std::make_shared<model<Encoder>>(std::move(encoder))) {
    check_modality_encoder<Encoder, Backend>();
  }
  [[nodiscard]] int stages() const { return m_encoder->stages(); }
  [[nodiscard]] index channels(int s) const { return m_encoder->channels(s); }
  [[nodiscard]] variable<Backend> encode_stage(int s, const variable<Backend>& x,
                                               const forward_request& request = {}) const {
    return m_encoder->encode_stage(s, x, request);
  }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual int stages() const = 0;
    virtual index channels(int s) const = 0;
    virtual variable<Backend> encode_stage(int s, const variable<Backend>& x, const forward_request& request) const = 0;
  };
  template <class Encoder>
  struct model final : interface {
    explicit model(Encoder e) : encoder(std::move(e)) {}
    int stages() const override { return encoder.stages(); }
    index channels(int s) const override { return encoder.channels(s); }
    variable<Backend> encode_stage(int s, const variable<Backend>& x, const forward_request& request) const override {
      return encoder.encode_stage(s, x, request);
    }
    Encoder encoder;
  };
  std::shared_ptr<const interface> m_encoder;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
