// SPDX-License-Identifier: Apache-2.0
/// @file
/// The command `info`: what the program was built with, what a model file holds and who made it, how to cite.
#ifndef COMODAL_CLI_INFO_HPP
#define COMODAL_CLI_INFO_HPP

#include <comodal/app/model_files.hpp>
#include <comodal/app/network_cost.hpp>
#include <comodal/app/provenance.hpp>
#include <comodal/app/segmenter.hpp>
#include <comodal/cli/console.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/engine/engine.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace cli {

struct info_arguments {
  std::filesystem::path model;  // empty: of the program
  bool json = false, cite = false, engines = false;
};

/// The citation of this program, as BibTeX and in words.
[[nodiscard]] inline std::string citation() {
  return text(
      "@software{comodal,\n"
      "  author  = {{The comodal developers}},\n"
      "  title   = {comodal: semi-supervised, multi-modal 3-D medical image segmentation},\n"
      "  version = {",
      COMODAL_VERSION,
      "},\n  license = {Apache-2.0}\n}\n"
      "@inproceedings{meng2025semi,\n"
      "  author = {Meng, D. and Li, S. and Wu, H. and Wang, G. and Yan, X.},\n"
      "  title  = {Semi-Supervised Multi-Modal Medical Image Segmentation for Complex Situations},\n"
      "  year   = {2025},\n"
      "  note   = {arXiv 2506.17136}\n}\n"
      "Cite the program, and the source of the method that your run used (docs/reference/methods.md). The default "
      "method\nfollows the abstract of the second entry.\n");
}

}  // namespace cli

namespace cli_detail {

/// What the program was built with, a pair of words per line.
template <tensor_backend Backend>
nlohmann::ordered_json program_facts() {
  nlohmann::ordered_json j{{"version", COMODAL_VERSION}, {"commit", app::this_program().commit}};
  j["kokkos"] = kokkos_version();
  j["default_space"] = default_space::name();
  j["host_threads"] = host_threads();
  if (const std::string device = device_name(typename Backend::space_type{}); !device.empty()) {
    j["device"] = device;
    j["devices"] = device_count();
  }
  j["engines"] = engine_names(typename Backend::engines_type{});
#if defined(COMODAL_ARCH_NAME)
  j["architecture"] = COMODAL_ARCH_NAME;
#endif
  if constexpr (mixed_precision_available_v<Backend>) {
    context<bfloat16_backend<Backend>> ctx;  // asked for a layer of a usual size
    const auto& plan = engine_facts(ctx, conv3d_problem(1, {16, 16, 16}, 32, 32), direction::forward);
    std::string on(plan.engine);
    for (const auto& more : {plan.algorithm, plan.implementation})
      if (!more.empty()) on += ", " + more;
    j["bf16"] = on;
    j["processor"] = ctx.host_processor().to_string();
  }
  return j;
}

/// Numbers in a row: "8 16 32".
template <class List>
[[nodiscard]] std::string row_of(const List& numbers, const char* between = " ") {
  std::string row;
  for (const auto& v : numbers) row += text(row.empty() ? "" : between, v);
  return row;
}

/// What a model file says of its making, with that of its run where the folder still has it.
struct made_by {
  nlohmann::ordered_json model, call;  // null if nobody says it
};
[[nodiscard]] inline made_by made_by_of(const safetensors_file& content, const std::filesystem::path& model,
                                        const std::string& sum) {
  made_by found;
  const auto words = content.metadata.find(model_provenance_key);
  if (words != content.metadata.end()) found.model = nlohmann::ordered_json::parse(words->second, nullptr, false);
  if (found.model.is_discarded()) found.model = nullptr;
  using app_detail::run_record;
  if (const auto run = model.parent_path(); run_record::sum_in(run, model.filename().string()) == sum)
    found.call = run_record::last_training(run_record::calls_in(run));
  return found;
}

/// Parameters of the default weights, without the heads that a method trained with.
[[nodiscard]] inline index parameters_of(const safetensors_file& content, const model_plan& plan) {
  index parameters = 0;
  for (const auto& [name, array] : content.arrays)
    if (name.starts_with(plan.predictors.at(0) + "/") && name.find("/optimiser.") == std::string::npos &&
        !name.starts_with(plan.predictors.at(0) + "/heads."))
      parameters += array.shape.size();
  return parameters;
}

[[nodiscard]] inline std::string classes_of_plan(const model_plan& plan) {
  std::string all;
  for (const auto& c : plan.labels) all += text(all.empty() ? "" : ", ", c.name, " (", row_of(c.values, "+"), ")");
  return all;
}

inline void print_fact(const char* name, const std::string& words) {
  if (!words.empty()) std::printf("  %-16s %s\n", name, cli::printable(words).c_str());
}

inline void print_plan(const model_plan& plan) {
  const network_options& network = plan.network;
  print_fact("modalities", row_of(plan.modalities, ", "));
  print_fact("classes", classes_of_plan(plan));
  print_fact("network",
             text(network.encoder, " encoders", network.shared_encoder ? " (shared)" : "", ", ", network.fusion,
                  " fusion, ", network.decoder, " decoders", network.branches ? ", a branch per modality" : ""));
  print_fact("channels",
             text(row_of(network.stream_channels), " per modality, ", row_of(network.fused_channels), " fused"));
  print_fact("window",
             text(plan.patch_size[2], " x ", plan.patch_size[1], " x ", plan.patch_size[0], " voxels along i, j, k"));
  const bool resampled = plan.prepare.spacing != std::array<double, 3>{};
  print_fact("voxels", text(row_of(resampled ? plan.prepare.spacing : plan.spacing, " x "), " mm along R, A, S",
                            resampled ? ": cases are resampled" : ", the median of the training cases"));
  std::vector<std::string> normalise;
  for (const normalisation& n : plan.prepare.normalise) normalise.push_back(n.name);
  print_fact("normalisation", row_of(normalise, ", "));
  print_fact("weights", row_of(plan.predictors, ", "));
  for (const auto& rule : plan.postprocess) print_fact("post-processing", to_words(rule));
}

inline void print_maker(const made_by& by, const std::string& sum) {
  if (by.model.is_object()) {
    const auto program = app_detail::provenance_from(by.model);
    print_fact("made by",
               text("comodal ", program.version, program.commit.empty() ? "" : ", commit " + program.commit));
    if (by.model.contains("labelled") && by.model.contains("unlabelled"))
      print_fact("trained on", text(by.model["labelled"].dump(), " labelled and ", by.model["unlabelled"].dump(),
                                    " unlabelled cases"));
  }
  if (by.call.is_object()) {
    const auto call = app_detail::provenance_from(by.call);
    print_fact("date, host", text(call.date, ", ", call.host));
    print_fact("command", call.command);
  }
  print_fact("sha256", sum);
}

}  // namespace cli_detail

namespace cli {

/// Prints what the program was built with.
template <tensor_backend Backend>
int info(bool json) {
  const auto facts = cli_detail::program_facts<Backend>();
  if (json) {
    std::printf("%s\n", facts.dump(2).c_str());
    return 0;
  }
  const auto word = [&](const char* key) { return facts.at(key).template get<std::string>(); };
  std::printf("comodal %s%s%s\nKokkos %s, default space %s\nhost threads %d\n", COMODAL_VERSION,
              word("commit").empty() ? "" : ", commit ", word("commit").c_str(), word("kokkos").c_str(),
              word("default_space").c_str(), facts.at("host_threads").template get<int>());
  if (facts.contains("device"))
    std::printf("device: %s, of %d\n", word("device").c_str(), facts.at("devices").template get<int>());
  std::printf("engines: %s\n", word("engines").c_str());
  std::printf("instruction set: %s\n",
              facts.contains("architecture") ? ("-march=" + word("architecture")).c_str() : "the compiler's default");
  if (facts.contains("bf16"))
    std::printf("bf16: a usual convolution runs on the %s engine; processor: %s\n", word("bf16").c_str(),
                word("processor").c_str());
  return 0;
}

/// Prints what a model file holds, or adds it to a list.
/// @param engines also print which engine computes what of a window
/// @throws io_error, config_error for a file that `predict`
/// refuses
template <tensor_backend Backend>
void info(const std::filesystem::path& model, nlohmann::ordered_json* json, bool engines,
          const registry<Backend>& names) {
  const auto content = read_model_file(model);
  const auto plan = app::plan_of_model(content, model, names);
  for (const auto& weights : plan.predictors)  // what `predict` would refuse is no model
    (void)app::segmenter<Backend>(model, weights, names);
  const index parameters = cli_detail::parameters_of(content, plan);
  const std::string sum = sha256_of_file(model);
  const auto by = cli_detail::made_by_of(content, model, sum);
  if (json != nullptr) {
    auto words = nlohmann::ordered_json::parse(to_json(plan));
    std::reverse(words["patch_size"].begin(), words["patch_size"].end());
    const nlohmann::ordered_json all{{"file", readable_name(model.string())},
                                     {"sha256", sum},
                                     {"parameters", parameters},
                                     {"axes_of_sizes", "i, j, k"},
                                     {"plan", words},
                                     {"provenance", by.model},
                                     {"call", by.call}};
    json->push_back(all);
    return;
  }
  std::printf("%s: %s after %u steps, seed %llu, %ld parameters, %s\n", model.c_str(), plan.method.c_str(), plan.steps,
              static_cast<unsigned long long>(plan.seed), static_cast<long>(parameters),
              plan.network.precision.c_str());
  cli_detail::print_plan(plan);
  cli_detail::print_maker(by, sum);
  if (!engines) return;
  context<Backend> ctx;
  const auto cost = app::cost_of_window(ctx, plan, names);
  std::printf("\none window: %.4g multiply-adds; on this machine (%s):\n%s", cost.multiply_adds,
              ctx.host_processor().to_string().c_str(), plan_table(ctx.planned()).c_str());
}

/// What `comodal info` prints.
template <tensor_backend Backend>
int info(const info_arguments& arguments, const registry<Backend>& names) {
  if (arguments.cite) {
    std::printf("%s", citation().c_str());
    return 0;
  }
  if (arguments.model.empty()) return info<Backend>(arguments.json);
  auto list = nlohmann::ordered_json::array();
  for (const auto& file : app::model_files(arguments.model))
    info(file, arguments.json ? &list : nullptr, arguments.engines, names);
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
  if (arguments.json) std::printf("%s\n", (list.size() == 1 ? list[0] : list).dump(2, ' ', false, replace).c_str());
  return 0;
}

}  // namespace cli

}  // namespace comodal::inline COMODAL_CONFIG

#endif
