// SPDX-License-Identifier: Apache-2.0
/// @file
/// Model files ready to segment cases.
#ifndef COMODAL_APP_SEGMENTER_HPP
#define COMODAL_APP_SEGMENTER_HPP

#include <comodal/app/observer.hpp>
#include <comodal/app/registry.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/data/sha256.hpp>
#include <comodal/infer/predict_case.hpp>
#include <comodal/model/model_file.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
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

/// One model, or several whose probabilities are averaged, that segment cases. Needs a `comodal::runtime`.
template <tensor_backend Backend>
class segmenter {
 public:
  /// @param weights which of the model's weights; empty: its default
  /// @throws error without a runtime; io_error, config_error as `plan_of_model`, and for weights that the model does
  /// not have
  explicit segmenter(const std::filesystem::path& model, const std::string& weights = "",
                     const registry<Backend>& names = registry<Backend>::built_in())
      : segmenter(std::vector{model}, weights, names) {}
  /// Several models of the same modalities, classes, window and preparation, but for statistics of CT.
  /// @throws as above; config_error that names what differs
  explicit segmenter(const std::vector<std::filesystem::path>& models, const std::string& weights = "",
                     const registry<Backend>& names = registry<Backend>::built_in()) {
    if (models.empty()) throw config_error("segmenter: no model, expected at least one");
    for (const auto& file : models) add(file, read_model_file(file), weights, names);
  }
  segmenter(const segmenter&) = delete;
  segmenter& operator=(const segmenter&) = delete;

  /// The plan of the first model.
  [[nodiscard]] const model_plan& plan() const { return m_members[0].plan; }
  /// Those of all models.
  [[nodiscard]] std::vector<const model_plan*> plans() const {
    std::vector<const model_plan*> all;
    for (const member& one : m_members) all.push_back(&one.plan);
    return all;
  }
  /// Check sums of the model files, but for what they ask for behind the network (`weights_checksum`).
  [[nodiscard]] const std::vector<std::string>& checksums() const { return m_checksums; }
  /// SHA-256 of the model files, by their names.
  [[nodiscard]] const std::map<std::string, std::string>& files() const { return m_files; }
  /// The rules that most of the models have.
  [[nodiscard]] std::vector<postprocessing_rule> postprocess() const {
    std::vector<std::vector<postprocessing_rule>> rules;
    for (const auto& one : m_members) rules.push_back(one.plan.postprocess);
    return agreed_postprocessing(rules, plan().labels);
  }
  /// Who hears of fallbacks, each once.
  void warn_by(std::function<void(const std::string& line)> warn) { m_context.warn_by(std::move(warn)); }

  /// How cases are prepared for the models: once, or several times where their statistics of CT differ.
  [[nodiscard]] const std::vector<prepare_options>& preparations() const { return m_preparations; }

  /// Segments a case that was prepared in all ways (`prepare_in_ways(files, preparations())`); each output is handed to
  /// `take` as soon as it is made. @throws as `predict_outputs`; config_error for another number of cases
  void operator()(const std::vector<case_data>& prepared, const output_choice& wanted, const window_options& windows,
                  const std::function<void(case_output&&)>& take) {
    if (prepared.size() != m_preparations.size())
      throw config_error(text("segmenter: the case was prepared in ", prepared.size(), " ways, the models need ",
                              m_preparations.size()));
    std::vector<ensemble_member<Backend>> members;
    for (const member& one : m_members)
      members.push_back({&prepared[one.preparation], [&](const auto& volumes, const auto& present, auto which) {
                           return one.network.forward(volumes, present, which);
                         }});
    predict_outputs<Backend>(m_home, plan(), members, wanted, windows, take);
  }
  /// The same outputs in a list.
  [[nodiscard]] std::vector<case_output> operator()(const std::vector<case_data>& prepared, const output_choice& wanted,
                                                    const window_options& windows) {
    std::vector<case_output> results;
    (*this)(prepared, wanted, windows, [&](case_output&& output) { results.push_back(std::move(output)); });
    return results;
  }

 private:
  struct runtime_check {
    runtime_check() { expect_runtime(); }
  };
  struct member {
    model_plan plan;
    any_network<Backend> network;
    std::size_t preparation;  // its number
  };

  void add(const std::filesystem::path& file, safetensors_file content, const std::string& weights,
           const registry<Backend>& names) {
    model_plan plan = plan_of_model(content, file, names);
    if (m_members.empty())
      m_first = file;
    else
      refuse_other_plan(plan, file);
    any_network<Backend> network = network_of(plan, file, names);
    try {
      load_parameters(network.parameters(), weights_of(plan, file, weights) + "/", content);
    } catch (const io_error& failure) {
      throw io_error(text(file.string(), ": ", failure.what()));
    }
    m_checksums.push_back(weights_checksum(std::move(content)));
    m_files[readable_name(file.string())] = sha256_of_file(file);
    std::size_t number = 0;
    while (number < m_preparations.size() && !same_statistics(m_preparations[number].ct, plan.prepare.ct)) ++number;
    if (number == m_preparations.size()) m_preparations.push_back(plan.prepare);
    m_members.push_back({std::move(plan), std::move(network), number});
  }
  [[nodiscard]] static bool same_statistics(const std::vector<ct_statistics>& a, const std::vector<ct_statistics>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const ct_statistics& x, const ct_statistics& y) {
      return x.low == y.low && x.high == y.high && x.mean == y.mean && x.deviation == y.deviation;
    });
  }
  // Models that mean different things cannot be averaged.
  void refuse_other_plan(const model_plan& other, const std::filesystem::path& file) const {
    const model_plan& first = plan();
    const auto expect = [&](bool same, const char* what) {
      if (!same)
        throw config_error(
            text(file.string(), ": cannot be averaged with ", m_first.string(), ": its ", what, " are others"));
    };
    expect(other.modalities == first.modalities, "modalities");
    expect(other.labels == first.labels && other.region_order == first.region_order, "classes");
    expect(other.patch_size == first.patch_size, "windows (batch.patch_size)");
    expect(other.prepare.normalise == first.prepare.normalise, "normalisations");
    expect(other.prepare.margin == first.prepare.margin && other.prepare.onto == first.prepare.onto &&
               other.prepare.spacing == first.prepare.spacing,
           "grids (data.margin, data.resample_to, data.spacing)");
  }
  [[nodiscard]] any_network<Backend> network_of(const model_plan& plan, const std::filesystem::path& file,
                                                const registry<Backend>& names) {
    try {
      expect_memory_for(plan.network, plan.patch_size, 1, "patch_size");
      return make_network<Backend>(m_home, plan.network, static_cast<index>(plan.modalities.size()), plan.channels(),
                                   plan.seed, names);
    } catch (const config_error& failure) {
      throw config_error(text(file.string(), ": ", failure.what()));
    }
  }
  [[nodiscard]] static std::string weights_of(const model_plan& plan, const std::filesystem::path& file,
                                              const std::string& weights) {
    if (weights.empty()) return plan.predictors.at(0);
    std::string names;
    for (const auto& name : plan.predictors) {
      if (name == weights) return name;
      names += (names.empty() ? "" : ", ") + name;
    }
    throw config_error(text(file.string(), ": has no weights '", weights, "', but: ", names));
  }

  [[no_unique_address]] runtime_check m_runtime;
  context<Backend> m_context;
  tape<Backend> m_home{m_context};
  std::filesystem::path m_first;
  std::vector<member> m_members;
  std::vector<prepare_options> m_preparations;
  std::vector<std::string> m_checksums;
  std::map<std::string, std::string> m_files;
};

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
