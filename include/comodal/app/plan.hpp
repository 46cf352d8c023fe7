// SPDX-License-Identifier: Apache-2.0
/// @file
/// The verb `plan`: an experiment file for a cohort, from the sizes of its cases.
#ifndef COMODAL_APP_PLAN_HPP
#define COMODAL_APP_PLAN_HPP

#include <comodal/app/experiment.hpp>
#include <comodal/app/experiment_text.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/plan/fingerprint.hpp>
#include <comodal/plan/memory_model.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// What `plan` is asked for.
struct plan_request {
  std::filesystem::path source;  // a data set
  std::filesystem::path file;    // experiment file to write; there must be none
  layout_options layout = {};    // what the data set does not say itself
  double memory = 4;             // GiB of tensors that a training step may take
};

/// What `plan` came to.
struct plan_summary {
  cohort_fingerprint fingerprint;
  patch_plan patch;
  std::array<double, 3> target{}, median{};        // mm, and voxels of that size, along (D, H, W)
  index labelled_crops = 0, unlabelled_crops = 0;  // per step
  std::string content;                             // of the file
};

}  // namespace app

namespace app_detail {

// A number for people: three digits.
inline std::string rounded(double value) {
  char words[64];
  return {words, std::to_chars(words, words + sizeof words, value, std::chars_format::general, 3).ptr};
}
inline std::string backwards(const std::array<double, 3>& values) {
  return text(rounded(values[2]), " x ", rounded(values[1]), " x ", rounded(values[0]));
}

// Prepared cases of more than this are kept in files.
inline constexpr double most_gib_in_memory = 4;

// The spacing to resample to, along R, A, S: 0 where all cases have it but for 5 %.
inline std::array<double, 3> spacing_where_it_differs(const std::vector<case_extent>& cases,
                                                      const std::array<double, 3>& target) {
  std::array<double, 3> spacing{};
  for (std::size_t a = 0; a < 3; ++a)
    for (const case_extent& one : cases)
      if (std::abs(one.spacing[a] / target[a] - 1) > 0.05) spacing[2 - a] = std::round(target[a] * 1e4) / 1e4;
  return spacing;
}

}  // namespace app_detail

namespace app {

/// Plans the training of a cohort by nnU-Net's rules, with the default network of this library in place of nnU-Net's,
/// and writes an experiment file that says why. The file depends on the cohort and the request alone.
/// @throws config_error for a file that exists or a cohort without a labelled case; io_error with the lines of all
/// cases that cannot be used; as the reader
template <tensor_backend Backend>
plan_summary plan(const plan_request& request, const registry<Backend>& names = registry<Backend>::built_in(),
                  const observer& watch = {}) {
  if (std::filesystem::exists(request.file))
    throw config_error(text(request.file.string(), ": exists already; name a new file"));
  expect_writable(request.file.has_parent_path() ? request.file.parent_path() : std::filesystem::path("."));
  if (!(request.memory > 0)) throw config_error(text("memory: ", request.memory, " GiB, expected more than 0"));
  experiment e;
  e.folder = std::filesystem::absolute(request.source).lexically_normal().string();
  e.layout = request.layout;
  const cohort data = e.read_cohort(names);
  watch.warn(data.findings);
  refuse_errors(data.findings);
  app_detail::expect_classes(data);
  if (data.labelled.empty()) throw config_error(text(request.source.string(), ": has no labelled case to train on"));
  watch.tell(text("reading ", data.labelled.size(), " labelled and ", data.unlabelled.size(), " unlabelled cases"));

  plan_summary summary;
  auto& [found, planned, target, median, labelled_crops, unlabelled_crops, content] = summary;
  found = fingerprint_of(data);
  target = target_spacing(found.cases);
  median = median_size(found.cases, target);
  const auto modalities = static_cast<index>(data.modalities.size());
  constexpr index crops = 4;  // two labelled, two unlabelled
  planned = plan_patch(target, median, found.cases.size(), {.feature_voxels = request.memory * (1 << 30)},
                       [&](const network_topology& t) { return crops * bytes_per_crop(t, modalities); });

  e.spacing = app_detail::spacing_where_it_differs(found.cases, target);
  if (found.onto >= 0) e.resample_to = data.modalities[static_cast<std::size_t>(found.onto)];
  e.normalise = found.normalise;
  e.batch.patch_size = planned.topology.patch;
  e.batch.labelled = e.batch.unlabelled = planned.batch;
  const auto unlabelled = static_cast<index>(data.unlabelled.size());
  e.batch.unlabelled = std::min(e.batch.unlabelled, unlabelled);
  labelled_crops = e.batch.labelled;
  unlabelled_crops = e.batch.unlabelled;
  if (unlabelled == 0) e.method = {"supervised", names.method_options_of("supervised")};
  const default_channels channels(planned.topology.stages());
  e.network.stream_channels = channels.stream;
  e.network.fused_channels = channels.fused;
  const auto lists = [](const std::vector<extent3>& of) {
    std::vector<std::vector<index>> out;
    for (const extent3& one : of) out.push_back({one[2], one[1], one[0]});
    return out;
  };
  e.network.strides = lists(planned.topology.strides);
  e.network.kernel_size = lists(planned.topology.kernel_size);
  const double bytes = static_cast<double>(e.batch.labelled + e.batch.unlabelled) *
                       bytes_per_crop(planned.topology, modalities) / (1 << 30);

  const double cases = 4 * median[0] * median[1] * median[2] * static_cast<double>(modalities) *
                       static_cast<double>(found.cases.size()) / (1 << 30);
  if (cases > app_detail::most_gib_in_memory)
    e.cache = (std::filesystem::absolute(request.file).parent_path() / (request.file.stem().string() + "-cache"))
                  .lexically_normal()
                  .string();

  e.check(names);
  const auto keys = e.keys();
  app_detail::experiment_text file(keys);
  file.add("data.folder", "");
  experiment defaults;
  const auto default_keys = defaults.keys();
  visit_layout_options(request.layout, [&](std::string_view name, const auto&, const char*) {
    const std::string key = text("data.", name);
    if (keys.shown(key) != default_keys.shown(key)) file.add(key, "");
  });
  file.add("data.normalise", "per modality: by its name (CT, PET), nonzero where images are skull-stripped, else head");
  if (!e.resample_to.empty())
    file.add("data.resample_to", "the labels are on its grid; the others are resampled to it");
  file.add("data.spacing", text("mm along R, A, S; the median case has ", app_detail::backwards(target),
                                "; 0: all cases have it, nothing is resampled"));
  if (!e.cache.empty())
    file.add("data.cache", text("the prepared cases take about ", app_detail::rounded(cases),
                                " GiB: they are made once, in this folder (`comodal prepare`)"));
  file.add("batch.patch_size", text("voxels along i, j, k; the median case has ", app_detail::backwards(median)));
  file.add("batch.labelled", "crops per step");
  file.add("batch.unlabelled", "");
  file.add("model.stream_channels", "of each modality's encoder, from fine to coarse");
  file.add("model.fused_channels", "");
  file.add("model.strides", "along i, j, k between stages: thick slices are halved last");
  file.add("model.kernel_size", "");
  file.add("method.name", unlabelled > 0 ? text(unlabelled, " cases have no label") : "every case has a label");
  file.add("train.steps", "more steps are better, and take longer");
  content = text("# Written by `comodal plan` for ", data.labelled.size(), " labelled and ", unlabelled,
                 " unlabelled cases.\n# A training step takes about ", app_detail::rounded(bytes),
                 " GiB of tensors (asked for: at most ", app_detail::rounded(request.memory),
                 "); train --memory N makes it less.\n", file.words());
  write_text(request.file, content);
  return summary;
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
