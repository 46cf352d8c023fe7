// SPDX-License-Identifier: Apache-2.0
/// @file
/// A model file ready to segment cases.
#ifndef COMODAL_APP_SEGMENTER_HPP
#define COMODAL_APP_SEGMENTER_HPP

#include <comodal/app/registry.hpp>
#include <comodal/infer/predict_case.hpp>
#include <comodal/model/model_file.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// The plan of a model file with the names that this program knows. @throws io_error if the file is damaged or no
/// model; config_error, with the file's name in front, for a name that the program lacks
template <tensor_backend Backend>
[[nodiscard]] model_plan plan_of_model(const safetensors_file& content, const std::filesystem::path& file,
                                       const registry<Backend>& names) {
  model_plan plan = plan_of(content, file, names.normalisations);
  try {
    names.check_network_names(plan.network);
  } catch (const config_error& failure) {
    throw config_error(text(file.string(), ": ", failure.what()));
  }
  return plan;
}

/// A model that segments cases: a file's network with one of its sets of weights. Needs a `comodal::runtime`.
template <tensor_backend Backend>
class segmenter {
 public:
  /// @param weights which of the model's weights; empty: its default
  /// @throws io_error, config_error as `plan_of_model`, and for weights that the model does not have
  explicit segmenter(const std::filesystem::path& model, const std::string& weights = "",
                     const registry<Backend>& names = registry<Backend>::built_in())
      : segmenter(model, read_model_file(model), weights, names) {}
  /// The same with a file that is read already.
  segmenter(const std::filesystem::path& file, const safetensors_file& content, const std::string& weights,
            const registry<Backend>& names)
      : m_plan(plan_of_model(content, file, names)), m_network(network_of(file, names)) {
    try {
      load_parameters(m_network.parameters(), weights_of(file, weights) + "/", content);
    } catch (const io_error& failure) {
      throw io_error(text(file.string(), ": ", failure.what()));
    }
  }
  segmenter(const segmenter&) = delete;
  segmenter& operator=(const segmenter&) = delete;

  [[nodiscard]] const model_plan& plan() const { return m_plan; }
  /// Who hears of fallbacks, each once.
  void warn_by(std::function<void(const std::string& line)> warn) { m_context.warn_by(std::move(warn)); }
  [[nodiscard]] const any_network<Backend>& network() const { return m_network; }

  /// Segments a prepared case (`prepare_case(files, plan().prepare)`). @throws as `predict_case`
  [[nodiscard]] std::vector<case_output> operator()(const case_data& one, const output_choice& wanted,
                                                    const window_options& windows) {
    std::vector<case_output> results;
    (*this)(one, wanted, windows, [&](case_output&& output) { results.push_back(std::move(output)); });
    return results;
  }
  /// The same; each output is handed to `take` as soon as it is made. @throws as `predict_outputs`
  void operator()(const case_data& one, const output_choice& wanted, const window_options& windows,
                  const std::function<void(case_output&&)>& take) {
    predict_outputs<Backend>(
        m_home, m_plan, one, wanted, windows,
        [&](const auto& volumes, const auto& present, auto which) {
          return m_network.forward(volumes, present, which);
        },
        take);
  }

 private:
  [[nodiscard]] any_network<Backend> network_of(const std::filesystem::path& file, const registry<Backend>& names) {
    try {
      expect_memory_for(m_plan.network, m_plan.patch_size, 1, "patch_size");
      return make_network<Backend>(m_home, m_plan.network, static_cast<index>(m_plan.modalities.size()),
                                   m_plan.channels(), m_plan.seed, names);
    } catch (const config_error& failure) {
      throw config_error(text(file.string(), ": ", failure.what()));
    }
  }
  [[nodiscard]] std::string weights_of(const std::filesystem::path& file, const std::string& weights) const {
    if (weights.empty()) return m_plan.predictors.at(0);
    std::string names;
    for (const auto& name : m_plan.predictors) {
      if (name == weights) return name;
      names += (names.empty() ? "" : ", ") + name;
    }
    throw config_error(text(file.string(), ": has no weights '", weights, "', but: ", names));
  }

  context<Backend> m_context;
  tape<Backend> m_home{m_context};
  model_plan m_plan;
  any_network<Backend> m_network;
};

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
