// SPDX-License-Identifier: Apache-2.0
/// @file
/// Encoders, fusion blocks and decoders by name.
#ifndef COMODAL_MODEL_NETWORK_REGISTRY_HPP
#define COMODAL_MODEL_NETWORK_REGISTRY_HPP

#include <comodal/core/compiled.hpp>
#include <comodal/core/generic.hpp>
#include <comodal/core/name_table.hpp>
#include <comodal/model/decoder.hpp>
#include <comodal/model/encoder.hpp>
#include <comodal/model/fusion_stage.hpp>
#include <comodal/model/mixed_precision.hpp>
#include <comodal/model/network_options.hpp>
#include <comodal/model/resenc_encoder.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

// A name stands for one of these functions. A library may have compiled them.

/// An encoder. @tparam Encoder a `generic`
template <class Encoder, tensor_backend Backend>
[[nodiscard]] any_encoder<Backend> make_encoder(const parameter_scope<Backend>& scope, const encoder_sizes& sizes) {
  static_assert(
      std::is_constructible_v<type_for<Encoder, Backend>, const parameter_scope<Backend>&, const encoder_sizes&>,
      "comodal: an encoder that is made by name needs a constructor from (const parameter_scope<Backend>&, "
      "const encoder_sizes&)");
  return any_encoder<Backend>(type_for<Encoder, Backend>(scope, sizes));
}
/// A fusion stage around the fusion block of a tag.
template <class Tag, tensor_backend Backend>
[[nodiscard]] any_fusion<Backend> make_fusion(const parameter_scope<Backend>& scope, const fusion_stage_sizes& sizes) {
  return any_fusion<Backend>(multi_stage_fusion<Tag, Backend>(scope, sizes));
}
/// A decoder. @tparam Decoder a `generic`
template <class Decoder, tensor_backend Backend>
[[nodiscard]] any_decoder<Backend> make_decoder(const parameter_scope<Backend>& scope, const decoder_sizes& sizes) {
  static_assert(
      std::is_constructible_v<type_for<Decoder, Backend>, const parameter_scope<Backend>&, const decoder_sizes&>,
      "comodal: a decoder that is made by name needs a constructor from (const parameter_scope<Backend>&, "
      "const decoder_sizes&)");
  return any_decoder<Backend>(type_for<Decoder, Backend>(scope, sizes));
}

template <tensor_backend Backend>
class network_registry;

namespace model_detail {

struct no_partner {};
template <tensor_backend Backend>
struct partner_of {
  using type = no_partner;
};
template <tensor_backend Backend>
  requires mixed_precision_available_v<Backend>
struct partner_of<Backend> {
  using type = network_registry<bfloat16_backend<Backend>>;
};

}  // namespace model_detail

/// The encoders, fusion blocks and decoders that a program knows by name. It is a value: a copy may have more. Where
/// `Backend` is mixed, each is also made for its bfloat16 partner, which computes with `model.precision = "bf16"`.
template <tensor_backend Backend>
class network_registry {
 public:
  using encoder_maker = any_encoder<Backend> (*)(const parameter_scope<Backend>&, const encoder_sizes&);
  using fusion_maker = any_fusion<Backend> (*)(const parameter_scope<Backend>&, const fusion_stage_sizes&);
  using decoder_maker = any_decoder<Backend> (*)(const parameter_scope<Backend>&, const decoder_sizes&);

  /// Only what the library has.
  [[nodiscard]] static network_registry built_in();

  /// Names a modality encoder: `generic` of a class template over the back end, made from a parameter_scope and
  /// encoder_sizes.
  /// @throws config_error for a name that is taken or is none
  template <class Encoder>
  void encoder(const std::string& name) {
    check_generic<Encoder, Backend>();
    m_encoders.add(name, &make_encoder<Encoder, Backend>);
    if constexpr (mixed_precision_available_v<Backend>) m_partner.template encoder<Encoder>(name);
  }
  /// Names the fusion block of a tag, a specialisation of `fusion_block`. @throws config_error as `encoder`
  template <class Tag>
  void fusion(const std::string& name) {
    m_fusion.add(name, &make_fusion<Tag, Backend>);
    if constexpr (mixed_precision_available_v<Backend>) m_partner.template fusion<Tag>(name);
  }
  /// Names a decoder: `generic` of a class template over the back end, made from a parameter_scope and decoder_sizes.
  /// @throws config_error as `encoder`
  template <class Decoder>
  void decoder(const std::string& name) {
    check_generic<Decoder, Backend>();
    m_decoders.add(name, &make_decoder<Decoder, Backend>);
    if constexpr (mixed_precision_available_v<Backend>) m_partner.template decoder<Decoder>(name);
  }

  /// What a name stands for. @throws config_error for a name that this program lacks
  [[nodiscard]] encoder_maker encoder_of(const std::string& name) const { return m_encoders.at(name, "model.encoder"); }
  [[nodiscard]] fusion_maker fusion_of(const std::string& name) const { return m_fusion.at(name, "model.fusion"); }
  /// @param key the key that gives the name, for messages
  [[nodiscard]] decoder_maker decoder_of(const std::string& name, std::string_view key = "model.decoder") const {
    return m_decoders.at(name, key);
  }

  /// @throws config_error for a name in `options` that this program lacks
  void check_network_names(const network_options& options) const {
    (void)encoder_of(options.encoder);
    (void)decoder_of(options.decoder);
    if (options.fusion != early_fusion_name) (void)fusion_of(options.fusion);
  }

  /// The names that an option may have: "encoder", "fusion" or "decoder"; none for other options.
  [[nodiscard]] std::vector<std::string> network_names_of(std::string_view option) const {
    if (option == "encoder") return m_encoders.names();
    if (option == "decoder") return m_decoders.names();
    if (option != "fusion") return {};
    auto names = m_fusion.names();
    names.emplace_back(early_fusion_name);
    return names;
  }

  /// The same names for the back end of mixed precision.
  [[nodiscard]] const auto& partner() const
    requires mixed_precision_available_v<Backend>
  {
    return m_partner;
  }

  /// The name under `model.fusion` of a network that joins the modalities in its first convolution.
  static constexpr const char* early_fusion_name = "early";

 private:
  name_table<encoder_maker> m_encoders{"encoder"};
  name_table<fusion_maker> m_fusion{"fusion block", {early_fusion_name}};
  name_table<decoder_maker> m_decoders{"decoder"};
  [[no_unique_address]] typename model_detail::partner_of<Backend>::type m_partner;
};

template <tensor_backend Backend>
network_registry<Backend> network_registry<Backend>::built_in() {
  network_registry names;
  names.template encoder<generic<unet_encoder>>("unet");
  names.template encoder<generic<residual_encoder>>("residual");
  names.template encoder<generic<vnet_encoder>>("vnet");
  names.template encoder<generic<resenc_encoder>>("resenc");
  names.template fusion<mean_fusion>("mean");
  names.template fusion<concat_fusion>("concat");
  names.template fusion<gated_fusion>("gated");
  names.template fusion<channel_fusion>("channel");
  names.template fusion<cross_modal_fusion>("cross_modal");
  names.template fusion<window_cross_modal_fusion>("window_cross_modal");
  names.template decoder<generic<unet_decoder>>("unet");
  names.template decoder<generic<trilinear_unet_decoder>>("unet_trilinear");
  names.template decoder<generic<nearest_unet_decoder>>("unet_nearest");
  return names;
}

// Two lists, so that each is a unit that compiles in less than a minute.
#define COMODAL_DECODER_ENTRY(kind, Decoder, Backend)                                                \
  kind any_decoder<Backend> make_decoder<generic<Decoder>, Backend>(const parameter_scope<Backend>&, \
                                                                    const decoder_sizes&);
#define COMODAL_ENCODER_ENTRIES(kind, Backend)                                                                \
  kind any_encoder<Backend> make_encoder<generic<unet_encoder>, Backend>(const parameter_scope<Backend>&,     \
                                                                         const encoder_sizes&);               \
  kind any_encoder<Backend> make_encoder<generic<residual_encoder>, Backend>(const parameter_scope<Backend>&, \
                                                                             const encoder_sizes&);           \
  kind any_encoder<Backend> make_encoder<generic<vnet_encoder>, Backend>(const parameter_scope<Backend>&,     \
                                                                         const encoder_sizes&);               \
  kind any_encoder<Backend> make_encoder<generic<resenc_encoder>, Backend>(const parameter_scope<Backend>&,   \
                                                                           const encoder_sizes&);             \
  COMODAL_DECODER_ENTRY(kind, unet_decoder, Backend)                                                          \
  COMODAL_DECODER_ENTRY(kind, trilinear_unet_decoder, Backend)                                                \
  COMODAL_DECODER_ENTRY(kind, nearest_unet_decoder, Backend)
#define COMODAL_FUSION_ENTRY(kind, tag, Backend) \
  kind any_fusion<Backend> make_fusion<tag, Backend>(const parameter_scope<Backend>&, const fusion_stage_sizes&);
#define COMODAL_FUSION_ENTRIES(kind, Backend)             \
  COMODAL_FUSION_ENTRY(kind, mean_fusion, Backend)        \
  COMODAL_FUSION_ENTRY(kind, concat_fusion, Backend)      \
  COMODAL_FUSION_ENTRY(kind, gated_fusion, Backend)       \
  COMODAL_FUSION_ENTRY(kind, channel_fusion, Backend)     \
  COMODAL_FUSION_ENTRY(kind, cross_modal_fusion, Backend) \
  COMODAL_FUSION_ENTRY(kind, window_cross_modal_fusion, Backend)
#define COMODAL_NETWORK_NAMES(kind, Backend) kind network_registry<Backend> network_registry<Backend>::built_in();
COMODAL_COMPILED_ELSEWHERE(COMODAL_NETWORK_NAMES)
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_ENCODER_ENTRIES)
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_FUSION_ENTRIES)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
