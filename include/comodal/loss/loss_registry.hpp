// SPDX-License-Identifier: Apache-2.0
/// @file
/// Losses by name.
#ifndef COMODAL_LOSS_LOSS_REGISTRY_HPP
#define COMODAL_LOSS_LOSS_REGISTRY_HPP

#include <comodal/core/any_options.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/core/name_table.hpp>
#include <comodal/loss/any_loss.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// Which losses a method is made with: the table [loss] of an experiment file. A method uses those that it needs.
struct loss_options {
  named_options segmentation = "dice_cross_entropy";
  named_options consistency = "mean_squared_error";
  named_options contrastive = "area_similarity";  // with the temperature and the similarity that the method says
};

/// Calls `visit(key, chosen)` for every choice of a loss.
template <class Options, class Visit>
void visit_loss_choices(Options& o, Visit&& visit) {
  visit(std::string_view("segmentation"), o.segmentation);
  visit(std::string_view("consistency"), o.consistency);
  visit(std::string_view("contrastive"), o.contrastive);
}

/// The losses that a program knows by name. A loss is made by a function from a label_kind; a loss with options also
/// takes them: `names.segmentation_loss<focal_options>("focal", [](label_kind kind, const focal_options& o) {...})`.
template <tensor_backend Backend>
class loss_registry {
 public:
  /// Only the losses of the library.
  [[nodiscard]] static loss_registry built_in();

  /// @throws config_error for a name that is taken or is none
  template <class Options = no_options, class Make>
  void segmentation_loss(std::string name, Make make) {
    refuse_taken(name);
    m_segmentation.add(std::move(name), entry_of<any_segmentation_loss<Backend>, Options>(std::move(make)));
  }
  template <class Options = no_options, class Make>
  void consistency_loss(std::string name, Make make) {
    refuse_taken(name);
    m_consistency.add(std::move(name), entry_of<any_consistency_loss<Backend>, Options>(std::move(make)));
  }
  template <class Options = no_options, class Make>
  void contrastive_loss(std::string name, Make make) {
    refuse_taken(name);
    m_contrastive.add(std::move(name), entry_of<any_contrastive_loss<Backend>, Options>(std::move(make)));
  }

  /// The losses of the names in `chosen`. @throws config_error for a name that is not known
  [[nodiscard]] any_segmentation_loss<Backend> make_segmentation_loss(const named_options& chosen,
                                                                      label_kind kind) const {
    return m_segmentation.at(chosen.name, "loss.segmentation").make(kind, chosen.values);
  }
  [[nodiscard]] any_consistency_loss<Backend> make_consistency_loss(const named_options& chosen,
                                                                    label_kind kind) const {
    return m_consistency.at(chosen.name, "loss.consistency").make(kind, chosen.values);
  }
  /// None for "area_similarity": the method makes it by its own options.
  [[nodiscard]] std::optional<any_contrastive_loss<Backend>> make_contrastive_loss(const named_options& chosen,
                                                                                   label_kind kind) const {
    if (chosen.name == area_similarity) return std::nullopt;
    return m_contrastive.at(chosen.name, "loss.contrastive").make(kind, chosen.values);
  }

  /// The default options of the loss that `name` stands for under the key "segmentation", "consistency" or
  /// "contrastive" of the table [loss]. @throws config_error for a name that is not known
  [[nodiscard]] any_options loss_options_of(std::string_view key, const std::string& name) const {
    const std::string whole = text("loss.", key);
    if (key == "segmentation") return m_segmentation.at(name, whole).options;
    if (key == "consistency") return m_consistency.at(name, whole).options;
    if (name == area_similarity) return {};
    return m_contrastive.at(name, whole).options;
  }
  /// The names under such a key.
  [[nodiscard]] std::vector<std::string> loss_names_of(std::string_view key) const {
    if (key == "segmentation") return m_segmentation.names();
    if (key == "consistency") return m_consistency.names();
    auto names = m_contrastive.names();
    names.insert(names.begin(), area_similarity);
    return names;
  }

 private:
  // Options of losses of all kinds are tables of [loss], beside its keys.
  void refuse_taken(const std::string& name) const {
    if (name == "segmentation" || name == "consistency" || name == "contrastive" || m_segmentation.contains(name) ||
        m_consistency.contains(name) || m_contrastive.contains(name))
      throw config_error(text("registry: there is a loss or a key '", name, "' already; choose another name"));
  }

  static constexpr const char* area_similarity = "area_similarity";

  template <class Any>
  struct entry {
    any_options options;
    std::function<Any(label_kind, const any_options&)> make;
  };
  template <class Any, class Options, class Make>
  static entry<Any> entry_of(Make make) {
    check_options_struct<Options>();
    return {any_options(Options{}), [make = std::move(make)](label_kind kind, const any_options& options) {
              if constexpr (std::is_same_v<Options, no_options>)
                return Any(make(kind));
              else
                return Any(make(kind, options_as<Options>(options, "loss")));
            }};
  }

  name_table<entry<any_segmentation_loss<Backend>>> m_segmentation{"segmentation loss"};
  name_table<entry<any_consistency_loss<Backend>>> m_consistency{"consistency loss"};
  name_table<entry<any_contrastive_loss<Backend>>> m_contrastive{"contrastive loss", {area_similarity}};
};

template <tensor_backend Backend>
loss_registry<Backend> loss_registry<Backend>::built_in() {
  loss_registry names;
  names.segmentation_loss("dice_cross_entropy", [](label_kind kind) { return dice_cross_entropy{1, 1, 1, kind}; });
  names.consistency_loss("mean_squared_error", [](label_kind kind) { return mean_squared_error{kind}; });
  names.consistency_loss("cross_pseudo_supervision", [](label_kind kind) { return cross_pseudo_supervision{kind}; });
  return names;
}

#define COMODAL_LOSS(kind, Backend) kind loss_registry<Backend> loss_registry<Backend>::built_in();
COMODAL_COMPILED_ELSEWHERE(COMODAL_LOSS)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
