// SPDX-License-Identifier: Apache-2.0
/// @file
/// The prepared cases of a run, in memory or in a cache.
#ifndef COMODAL_APP_TRAINING_CASES_HPP
#define COMODAL_APP_TRAINING_CASES_HPP

#include <comodal/app/experiment.hpp>
#include <comodal/app/observer.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/data/case_cache.hpp>
#include <comodal/data/prepared_case.hpp>
#include <comodal/train/checkpoint_file.hpp>
#include <comodal/train/memory_budget.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

/// The cases that a run trains and validates on: in memory, or in the files of a cache.
class training_cases {
 public:
  /// @param prepare statistics of CT are counted here, on the labelled cases
  /// @param unlabelled false: unlabelled cases are not read
  /// @param cache folder of prepared cases; empty: they are kept in memory
  /// @throws io_error with the lines of all cases that cannot be used; config_error if memory cannot hold them
  training_cases(const cohort& data, const prepare_options& prepare, bool unlabelled, const std::string& cache,
                 const app::observer& watch)
      : m_prepare(prepare), m_watch(&watch) {
    if (!cache.empty()) m_cache.emplace(cache);
    m_told = {[&](index done, index all, const std::string& id) { watch.show({"case", 0, done, all, {}, id}); },
              [this] { return m_stopped = m_stopped || m_watch->stops(); }};
    std::vector<unlabelled_case> others;  // a case that is labelled in part is read once
    for (const unlabelled_case& one : data.unlabelled)
      if (unlabelled && !data.partially_annotated(one.files.id)) others.push_back(one);
    m_all = data.labelled.size() + others.size() + data.validation.size();
    watch.tell(text("reading ", data.labelled.size(), " labelled, ", unlabelled ? data.unlabelled.size() : 0,
                    " unlabelled and ", data.validation.size(), " validation cases",
                    m_cache ? text(", prepared once in ", cache) : ""));
    std::string lines;  // of all lists: one bad file does not hide the next
    const auto read = [&](const auto& work) {
      try {
        if (!m_stopped) work();
      } catch (const work_stopped&) {
        m_stopped = true;
      } catch (const disk_error&) {
        throw;
      } catch (const io_error& failure) {
        lines += (lines.empty() ? "" : "\n") + std::string(failure.what());
      }
    };
    read([&] { count_ct_statistics(data); });
    if (lines.empty()) {
      read([&] { take(data.labelled, m_labelled); });
      read([&] { take(others, m_only_unlabelled); });
      read([&] { take(data.validation, m_validation); });
    } else {  // the labelled cases that are bad have been told
      read([&] { look_at(others); });
      read([&] { look_at(data.validation); });
    }
    if (!lines.empty()) throw io_error(lines);
    if (m_stopped) return;
    if (unlabelled) list_unlabelled(data);
    warn_of_untaught_classes(data);
    for (const labelled_case& one : data.labelled) m_annotated.push_back(one.annotated);
    m_regions = !data.region_order.empty();
    std::vector<geometry> grids;
    for (const auto* list : {&m_labelled, &m_only_unlabelled})
      for (const prepared_case& one : *list) grids.push_back(one.canonical());
    m_spacing = median_spacing(grids);
    for (const auto* list : {&m_labelled, &m_only_unlabelled, &m_validation})
      for (const prepared_case& one : *list) watch.warn(one.warnings());
    warn_of_spacing();
  }
  training_cases(const training_cases&) = delete;
  training_cases& operator=(const training_cases&) = delete;

  /// False: `watch` stopped the reading, and this is not to be used.
  [[nodiscard]] bool finished() const { return !m_stopped; }
  /// Cases that were prepared now, not found in the cache.
  [[nodiscard]] std::size_t made() const { return m_made; }
  /// All of them.
  [[nodiscard]] std::size_t size() const { return m_all; }
  /// Bytes of the files of the cache that this uses.
  [[nodiscard]] double cached_bytes() const { return m_cached_bytes; }
  [[nodiscard]] const prepare_options& prepare() const { return m_prepare; }
  /// Median voxel size of the training cases, mm, along the axes of RAS+.
  [[nodiscard]] const std::array<double, 3>& spacing() const { return m_spacing; }
  /// Those of which not all classes are annotated, too.
  [[nodiscard]] const std::vector<const prepared_case*>& unlabelled() const { return m_unlabelled; }
  [[nodiscard]] const std::vector<prepared_case>& validation() const { return m_validation; }

  /// Check sums of the cases that are trained on, by readable id.
  [[nodiscard]] case_checksums checksums() const {
    case_checksums sums;
    for (const auto* list : {&m_labelled, &m_only_unlabelled})
      for (const prepared_case& one : *list) sums[m_cache ? one.id() : readable_name(one.id())] = one.checksum();
    return sums;
  }
  /// Words where a crop is larger than every case along an axis; else empty.
  [[nodiscard]] std::string patch_warning(const extent3& patch) const {
    std::array<index, 3> largest{};
    for (const auto* list : {&m_labelled, &m_only_unlabelled})
      for (const prepared_case& one : *list)
        for (std::size_t a = 0; a < 3; ++a) largest[a] = std::max(largest[a], one.grid().size[a]);
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
      // Channels are the classes, or the regions, which have no background.
      const auto first = m_annotated[i].begin() + (m_regions && !m_annotated[i].empty() ? 1 : 0);
      out.push_back(m_labelled[i].labelled_crops({first, m_annotated[i].end()}, m_prepare.ignored));
    }
    return out;
  }
  [[nodiscard]] std::vector<unlabelled_training_case> unlabelled_crops() const {
    std::vector<unlabelled_training_case> out;
    for (const prepared_case* one : m_unlabelled) out.push_back(one->unlabelled_crops());
    return out;
  }

 private:
  static constexpr double gib = 1 << 30;

  void count_ct_statistics(const cohort& data) {
    for (std::size_t m = 0; m < data.modalities.size(); ++m) {
      if (!m_prepare.normalise[m_prepare.normalise.size() == 1 ? 0 : m].needs_statistics) continue;
      m_prepare.ct.resize(data.modalities.size());
      m_prepare.ct[m] =
          m_cache ? m_cache->statistics(data.labelled, m, m_prepare, m_told)
                  : ct_statistics_of(data.labelled, m, values_per_case, m_prepare.onto, m_prepare.ignored, m_told);
    }
  }

  // What is wrong with the images of cases that are not prepared now. @throws io_error
  template <class Case>
  void look_at(const std::vector<Case>& cases) const {
    work_on_cases(
        cases, [&](std::size_t i) { refuse_errors(load_images(cases[i].files, m_prepare.onto).findings); }, m_told);
  }

  // Prepares the cases of a list, or finds them in the cache.
  template <class Case>
  void take(const std::vector<Case>& cases, std::vector<prepared_case>& into) {
    if (m_cache) {
      const cache_work work = cached_cases(*m_cache, cases, m_prepare, m_told);
      m_made += work.made;
      for (const auto& one : work.cases)
        if (one) into.emplace_back(one), m_cached_bytes += static_cast<double>(one->bytes());
      return;
    }
    // Some at a time: memory that will not do is told before it is full.
    const std::size_t piece = std::max<std::size_t>(8, static_cast<std::size_t>(2 * host_threads()));
    for (std::size_t first = 0; first < cases.size(); first += piece) {
      const std::vector<Case> some(cases.begin() + static_cast<std::ptrdiff_t>(first),
                                   cases.begin() + static_cast<std::ptrdiff_t>(std::min(first + piece, cases.size())));
      std::vector<decltype(prepare_case(some.front(), m_prepare))> prepared(some.size());
      const auto prepare_one = [&](std::size_t i) { prepared[i] = prepare_case(some[i], m_prepare); };
      if (!work_on_cases(some, prepare_one, {{}, m_told.stops}, m_prepare.spacing)) return;
      for (auto& one : prepared) into.emplace_back(std::move(one)), m_memory += into.back().memory();
      m_read += some.size();
      m_made += some.size();
      expect_memory();
      if (m_all > piece) m_told.progress(static_cast<index>(m_read), static_cast<index>(m_all), "");
    }
  }
  // @throws config_error where the cases so far leave too little for the rest
  void expect_memory() const {
    const double all = m_memory / static_cast<double>(m_read) * static_cast<double>(m_all), there = machine_memory();
    if (there > 0 && all > 0.5 * there)
      throw config_error(text("the ", m_all, " prepared cases take about ", std::ceil(all / gib),
                              " GiB of memory, this machine has ", std::ceil(there / gib),
                              "; keep them in files: name a folder for them with data.cache, on a disk with that much "
                              "room"));
  }

  // Few labels may lack a class; then its masks mean nothing, and somebody should know.
  void warn_of_untaught_classes(const cohort& data) const {
    for (std::size_t c = 1; c < data.labels.size(); ++c) {
      const label_class& k = data.labels[c];
      const auto teaches = [&](const prepared_case& one) {
        return std::any_of(k.values.begin(), k.values.end(), [&](int v) { return one.holds(v); });
      };
      if (std::any_of(m_labelled.begin(), m_labelled.end(), teaches)) continue;
      m_watch->warn(text(data.source, ": no labelled case has a voxel of class '", k.name,
                         "', so that nothing teaches it and its masks mean nothing; take it out of the data set's "
                         "labels, or train on a case that has it"));
    }
  }

  // In the order of the cohort; a case that is labelled in part is the labelled one.
  void list_unlabelled(const cohort& data) {
    auto next = m_only_unlabelled.begin();
    for (const unlabelled_case& one : data.unlabelled) {
      if (!data.partially_annotated(one.files.id)) {
        m_unlabelled.push_back(&*next++);
        continue;
      }
      const auto same = std::find_if(data.labelled.begin(), data.labelled.end(),
                                     [&](const labelled_case& c) { return c.files.id == one.files.id; });
      m_unlabelled.push_back(&m_labelled[static_cast<std::size_t>(same - data.labelled.begin())]);
    }
  }

  // Where volumes are not resampled along an axis.
  void warn_of_spacing() const {
    std::string first;
    std::size_t number = 0;
    for (const auto* list : {&m_labelled, &m_only_unlabelled, &m_validation})
      for (const prepared_case& one : *list)
        if (const std::string words = spacing_warning(one.canonical(), as_they_are(m_spacing, m_prepare));
            !words.empty() && number++ == 0)
          first = one.id() + ": " + words;
    if (number > 0) m_watch->warn(text(first, " (", number, " of ", m_all, " cases differ so)"));
  }

  prepare_options m_prepare;
  const app::observer* m_watch;
  std::optional<case_cache> m_cache;
  std::size_t m_all = 0, m_read = 0, m_made = 0;
  double m_memory = 0, m_cached_bytes = 0;
  bool m_stopped = false;
  case_watch m_told;
  std::vector<prepared_case> m_labelled, m_only_unlabelled, m_validation;
  std::vector<std::vector<bool>> m_annotated;  // by labelled case and class; empty: all
  bool m_regions = false;
  std::vector<const prepared_case*> m_unlabelled;
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
