// SPDX-License-Identifier: Apache-2.0
/// @file
/// The prepared cases of a run.
#ifndef COMODAL_APP_TRAINING_CASES_HPP
#define COMODAL_APP_TRAINING_CASES_HPP

#include <comodal/app/experiment.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/data/ct_statistics.hpp>
#include <comodal/data/training_grid.hpp>
#include <comodal/train/checkpoint_file.hpp>
#include <comodal/train/memory_budget.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The cases that a run trains and validates on, in memory.
class training_cases {
 public:
  /// @param prepare statistics of CT are counted here, on the labelled cases
  /// @param unlabelled false: unlabelled cases are not read
  /// @throws io_error with the lines of all cases that cannot be used
  training_cases(const cohort& data, const prepare_options& prepare, bool unlabelled, const app::observer& watch)
      : m_prepare(prepare) {
    for (std::size_t m = 0; m < data.modalities.size(); ++m)
      if (m_prepare.normalise[m_prepare.normalise.size() == 1 ? 0 : m].needs_statistics) {
        m_prepare.ct.resize(data.modalities.size());
        m_prepare.ct[m] = ct_statistics_of(data.labelled, m, 200000, m_prepare.onto, m_prepare.ignored);
      }
    watch.tell(text("reading ", data.labelled.size(), " labelled, ", data.unlabelled.size(), " unlabelled and ",
                    data.validation.size(), " validation cases"));
    std::string lines;  // of all lists: one bad file does not hide the next
    const auto read = [&](const auto& work) {
      try {
        work();
      } catch (const io_error& failure) {
        lines += (lines.empty() ? "" : "\n") + std::string(failure.what());
      }
    };
    read([&] { m_labelled = prepare_cases(data.labelled, m_prepare); });
    read([&] { read_unlabelled(data, unlabelled); });
    read([&] { m_validation = prepare_cases(data.validation, m_prepare); });
    if (!lines.empty()) throw io_error(lines);
    warn_of_untaught_classes(data, watch);
    for (const labelled_case& one : data.labelled) m_annotated.push_back(one.annotated);
    m_regions = !data.region_order.empty();
    std::vector<const case_data*> all;
    for (const auto& one : m_labelled) all.push_back(&one.data);
    for (const auto& one : m_only_unlabelled) all.push_back(&one);
    std::vector<geometry> grids;
    for (const auto* one : all) grids.push_back(one->preparation.canonical());
    m_spacing = median_spacing(grids);
    for (const auto& one : m_validation) all.push_back(&one.data);
    for (const auto* one : all) watch.warn(one->warnings);
    warn_of_spacing(all, watch);
  }
  training_cases(const training_cases&) = delete;
  training_cases& operator=(const training_cases&) = delete;

  [[nodiscard]] const prepare_options& prepare() const { return m_prepare; }
  /// Median voxel size of the training cases, mm, along the axes of RAS+.
  [[nodiscard]] const std::array<double, 3>& spacing() const { return m_spacing; }
  /// Those of which not all classes are annotated, too.
  [[nodiscard]] const std::vector<const case_data*>& unlabelled() const { return m_unlabelled; }
  [[nodiscard]] const std::vector<labelled_case_data>& validation() const { return m_validation; }

  /// Check sums of the cases that are trained on, by readable id.
  [[nodiscard]] case_checksums checksums() const {
    case_checksums sums;
    for (const auto& one : m_labelled) sums[readable_name(one.data.id)] = one.data.checksum;
    for (const auto& one : m_only_unlabelled) sums[readable_name(one.id)] = one.checksum;
    return sums;
  }
  /// Words where a crop is larger than every case along an axis; else empty.
  [[nodiscard]] std::string patch_warning(const extent3& patch) const {
    std::array<index, 3> largest{};
    const auto look = [&](const case_data& one) {
      for (std::size_t a = 0; a < 3; ++a) largest[a] = std::max(largest[a], one.preparation.prepared().size[a]);
    };
    for (const auto& one : m_labelled) look(one.data);
    for (const auto& one : m_only_unlabelled) look(one);
    std::string axes;
    for (std::size_t a = 0; a < 3; ++a)
      if (patch[2 - a] > largest[a])
        axes += text(axes.empty() ? "" : ", ", "ijk"[a], " (", patch[2 - a], " of ", largest[a], " voxels)");
    if (axes.empty()) return {};
    return text("batch.patch_size is larger than every case along ", axes,
                ": crops are padded there, which takes time and memory and teaches nothing; make it smaller");
  }

  /// What crops are cut from; this object must outlive them.
  [[nodiscard]] std::vector<labelled_training_case> labelled_crops() const {
    std::vector<labelled_training_case> out;
    for (std::size_t i = 0; i < m_labelled.size(); ++i) {
      const labelled_case_data& one = m_labelled[i];
      // Channels are the classes, or the regions, which have no background.
      const auto first = m_annotated[i].begin() + (m_regions && !m_annotated[i].empty() ? 1 : 0);
      out.push_back({one.data.id, views_of(one.data), &one.label, std::vector<float>(first, m_annotated[i].end()),
                     m_prepare.ignored});
    }
    return out;
  }
  [[nodiscard]] std::vector<unlabelled_training_case> unlabelled_crops() const {
    std::vector<unlabelled_training_case> out;
    for (const case_data* one : m_unlabelled) out.push_back({one->id, views_of(*one)});
    return out;
  }

 private:
  static std::vector<volume_view> views_of(const case_data& one) { return {one.images.begin(), one.images.end()}; }

  // Few labels may lack a class; then its masks mean nothing, and somebody should know.
  void warn_of_untaught_classes(const cohort& data, const app::observer& watch) const {
    std::array<bool, 256> seen{};
    for (const auto& one : m_labelled)
      for (const std::uint8_t v : one.label.values) seen[v] = true;
    for (std::size_t c = 1; c < data.labels.size(); ++c) {
      const label_class& k = data.labels[c];
      if (std::any_of(k.values.begin(), k.values.end(), [&](int v) { return seen[static_cast<std::size_t>(v)]; }))
        continue;
      watch.warn(text(data.source, ": no labelled case has a voxel of class '", k.name,
                      "', so that nothing teaches it and its masks mean nothing; take it out of the data set's labels, "
                      "or train on a case that has it"));
    }
  }

  // A case that is labelled in part is in memory already.
  void read_unlabelled(const cohort& data, bool wanted) {
    if (!wanted) return;
    std::vector<unlabelled_case> others;
    for (const unlabelled_case& one : data.unlabelled)
      if (!data.partially_annotated(one.files.id)) others.push_back(one);
    m_only_unlabelled = prepare_cases(others, m_prepare);
    auto next = m_only_unlabelled.begin();
    for (const unlabelled_case& one : data.unlabelled) {
      if (!data.partially_annotated(one.files.id)) {
        m_unlabelled.push_back(&*next++);
        continue;
      }
      const auto same = std::find_if(m_labelled.begin(), m_labelled.end(),
                                     [&](const labelled_case_data& c) { return c.data.id == one.files.id; });
      m_unlabelled.push_back(&same->data);
    }
  }

  // Where volumes are not resampled along an axis.
  void warn_of_spacing(const std::vector<const case_data*>& cases, const app::observer& watch) const {
    std::string first;
    std::size_t number = 0;
    for (const auto* one : cases)
      if (const std::string words = spacing_warning(one->preparation.canonical(), as_they_are(m_spacing, m_prepare));
          !words.empty() && number++ == 0)
        first = one->id + ": " + words;
    if (number > 0) watch.warn(text(first, " (", number, " of ", cases.size(), " cases differ so)"));
  }

  prepare_options m_prepare;
  std::vector<labelled_case_data> m_labelled, m_validation;
  std::vector<std::vector<bool>> m_annotated;  // by labelled case and class; empty: all
  bool m_regions = false;
  std::vector<case_data> m_only_unlabelled;
  std::vector<const case_data*> m_unlabelled;
  std::array<double, 3> m_spacing{};
};

/// The fewest checkpointed stages with which a step of an experiment stays within `train.memory`.
/// @param make `any_method<Backend>(home, network)` @throws config_error if no number of stages is enough
template <tensor_backend Backend, class Make>
[[nodiscard]] index fitted_stages(const app::experiment& e, const registry<Backend>& names, const step_batch& batch,
                                  const Make& make) {
  return checkpointed_within<Backend>(
      e.train.memory, e.network.stages(),
      [&](tape<Backend>& home, index checkpointed) {
        network_options network = e.network;
        network.checkpointed = checkpointed;
        return make(home, network);
      },
      [&](const any_method<Backend>& method) { return optimiser_set<Backend>(e.optimiser, method.trained(), names); },
      batch);
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
