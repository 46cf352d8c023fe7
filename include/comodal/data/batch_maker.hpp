// SPDX-License-Identifier: Apache-2.0
/// @file
/// Makes the batch of a training step from cases in memory or in files: a pure function of the options, the cases, the
/// seed and the step.
#ifndef COMODAL_DATA_BATCH_MAKER_HPP
#define COMODAL_DATA_BATCH_MAKER_HPP

#include <comodal/data/annotated_classes.hpp>
#include <comodal/data/augment.hpp>
#include <comodal/data/batch_views.hpp>
#include <comodal/data/cut_crop.hpp>
#include <comodal/data/mix.hpp>
#include <comodal/data/sampler.hpp>
#include <comodal/data/stored_case.hpp>

#include <algorithm>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// Draws the crops of every step. Intensity changes are transforms of the caller's choice, made by default from the
/// options. `make` is const, uses one thread and may be called by several at once.
/// @tparam Weak, Strong models of `volume_transform`
template <class Weak = weak_intensities, class Strong = strong_intensities>
class batch_maker {
 public:
  using batch_type = step_batch;

  /// @param views what each batch holds; by default a weak and a strong view of each unlabelled crop
  /// @throws config_error for options that make no sense, no labelled case, fewer unlabelled cases than unlabelled
  /// crops a step, or a case without any modality or with another number of them; geometry_error for modalities or a
  /// label of different grids
  batch_maker(const batch_options& options, std::vector<labelled_training_case> labelled,
              std::vector<unlabelled_training_case> unlabelled, std::uint64_t seed, Weak weak, Strong strong,
              batch_views views = {})
      : m_options(options),
        m_seed(seed),
        m_labelled(std::move(labelled)),
        m_unlabelled(std::move(unlabelled)),
        m_weak(std::move(weak)),
        m_strong(std::move(strong)),
        m_views(std::move(views)) {
    check_volume_transform<Weak>();
    check_volume_transform<Strong>();
    check(options);
    if (m_labelled.empty()) throw config_error("training needs at least one labelled case, found none");
    if (m_views.has_unlabelled()) refuse_few_unlabelled();
    const std::size_t count = detail::modalities_of(m_labelled[0]);
    if (count > 255)
      throw config_error(
          text("training case ", m_labelled[0].id, ": ", count, " modalities; at most 255 are possible"));
    for (const auto& c : m_labelled) {
      m_labelled_grids.push_back(detail::grid_of_case(c, count));
      m_classes.push_back(detail::classes_of_case(c, m_labelled_grids.back()));
    }
    for (const auto& c : m_unlabelled) m_unlabelled_grids.push_back(detail::grid_of_case(c, count));
    m_guides.resize(m_unlabelled.size());
  }

  batch_maker(const batch_options& options, std::vector<labelled_training_case> labelled,
              std::vector<unlabelled_training_case> unlabelled, std::uint64_t seed, batch_views views = {})
    requires std::same_as<Weak, weak_intensities> && std::same_as<Strong, strong_intensities>
      : batch_maker(options, std::move(labelled), std::move(unlabelled), seed, make_weak_intensities(options),
                    make_strong_intensities(options), std::move(views)) {}

  [[nodiscard]] const batch_options& options() const { return m_options; }
  /// What each batch holds. Call it only while no other thread makes a batch.
  /// @throws config_error for too few unlabelled crops, a negative number, or partial labels that no method expects
  void set_views(batch_views views) {
    if (views.weak < 0 || views.strong < 0)
      throw config_error(
          text("batch_views: ", views.weak, " weak and ", views.strong, " strong views, expected 0 or more"));
    if (views.has_unlabelled() && m_options.unlabelled < views.least_unlabelled)
      throw config_error(text("batch.unlabelled = ", m_options.unlabelled,
                              ": the method learns from unlabelled crops; set it to ", views.least_unlabelled,
                              " or more, or choose a method that does not"));
    if (views.has_unlabelled()) refuse_few_unlabelled();
    detail::refuse_unknown_partial_labels(m_labelled, views);
    m_views = std::move(views);
  }
  /// Makes the part of one of several processes: with `ranks` of them, a step has `ranks` times the crops, and this
  /// maker makes those of `rank`. Call it only while no other thread makes a batch.
  /// @throws config_error if there are too few unlabelled cases, and for a rank that there is not
  void set_share(index rank, index ranks) {
    if (ranks < 1 || rank < 0 || rank >= ranks)
      throw config_error(text("batch_maker: rank ", rank, " of ", ranks, ", expected 0 to one less than their number"));
    m_rank = rank;
    m_ranks = ranks;
    if (m_views.has_unlabelled()) refuse_few_unlabelled();
  }
  [[nodiscard]] index modalities() const { return static_cast<index>(detail::modalities_of(m_labelled[0])); }

  /// Gives an unlabelled case the mask that the teacher found in it: with `sampling.unlabelled = "teacher"` a fraction
  /// `sampling.guided` of the crops of such cases is centred on one of its voxels, drawn as for labelled crops. The
  /// mask covers the volume evenly, on its grid or a coarser one (for example four times); without any foreground the
  /// case is drawn uniformly.
  ///
  /// Batches depend on the masks that are set. Set them only while no other thread makes a batch and none lies ready,
  /// that is in `prefetcher::between_steps`; then the batch of each step is the same for every number of threads.
  /// @throws config_error if there is no such case; geometry_error for a mask that is finer than the case
  void set_guide(std::uint32_t unlabelled_case, label_volume mask) {
    if (unlabelled_case >= m_guides.size())
      throw config_error(
          text("set_guide: there is no unlabelled case ", unlabelled_case, ", there are ", m_guides.size()));
    const extent3 &size = m_unlabelled_grids[unlabelled_case].size,
                  coarse = detail::grid_size(mask, text("guide of ", m_unlabelled[unlabelled_case].id));
    for (std::size_t a = 0; a < 3; ++a)
      if (coarse[a] > size[a])
        throw geometry_error(text("guide of ", m_unlabelled[unlabelled_case].id, ": ", detail::show_size(coarse),
                                  " voxels (D, H, W) are more than the case has, ", detail::show_size(size)));
    class_table classes(mask);
    m_guides[unlabelled_case] = {std::move(mask), std::move(classes)};
  }

  /// The batch of a step.
  [[nodiscard]] step_batch make(std::uint32_t step) const {
    step_batch batch;
    make(step, batch);
    return batch;
  }

  /// The same, in the memory of an earlier batch.
  void make(std::uint32_t step, step_batch& batch) const {
    batch.step = step;
    make_labelled(step, batch);
    make_unlabelled(step, batch);
    if (mixes()) mix(step, batch);
  }

 private:
  using part = detail::batch_part;
  // The stream of a sample of this process, or of what all processes draw alike.
  [[nodiscard]] random_stream stream(random_purpose purpose, part p, index sample, std::uint32_t step,
                                     index modality = 0) const {
    return detail::batch_stream(m_seed, purpose, p, in_step(p, sample), step, modality);
  }
  // The number of a sample among those of all processes.
  [[nodiscard]] index in_step(part p, index sample) const {
    const bool labelled = p == part::labelled || p == part::labelled_weak;
    return m_rank * (labelled ? m_options.labelled : m_options.unlabelled) + sample;
  }

  template <class Transform>
  void change(const Transform& transform, part p, crop_batch& crops, index n, std::uint32_t step) const {
    for (index m = 0; m < crops.modalities; ++m) {
      if (crops.presence(n)[static_cast<std::size_t>(m)] == 0) continue;
      random_stream random = stream(random_purpose::augmentation, p, n, step, m);
      if constexpr (joint_volume_transform<Transform>) {
        random_stream of_crop = stream(random_purpose::augmentation, p, n, step, detail::all_modalities);
        transform(crops.image(n, m), crops.size, random, of_crop);
      } else {
        transform(crops.image(n, m), crops.size, random);
      }
    }
  }

  void drop(part p, crop_batch& crops, index n, std::uint32_t step) const {
    random_stream random = stream(random_purpose::modality_dropout, p, n, step);
    drop_modalities(crops.presence(n), m_options.modality_dropout, random);
  }

  [[nodiscard]] crop_map geometry(part p, const extent3& first, const detail::training_grid& grid, index n,
                                  std::uint32_t step) const {
    // The modality 255 stands for the geometry, which all modalities share.
    random_stream random = stream(random_purpose::augmentation, p, n, step, 255);
    return draw_crop_map(m_options, first, grid.spacing, random);
  }

  void make_labelled(std::uint32_t step, step_batch& batch) const {
    const batch_options& o = m_options;
    crop_batch& crops = batch.labelled;
    crop_batch* weak = m_views.labelled_weak ? &batch.more["labelled_weak"] : nullptr;
    if (weak) weak->resize(o.labelled, modalities(), o.patch_size, true, false);
    crops.resize(o.labelled, modalities(), o.patch_size, true, false);
    for (index n = 0; n < o.labelled; ++n) {
      const index whole = in_step(part::labelled, n), samples = m_ranks * o.labelled;
      const std::uint32_t c = labelled_case_of(m_seed, step, whole, samples, static_cast<index>(m_labelled.size()));
      const detail::training_grid& grid = m_labelled_grids[c];
      const std::vector<volume_view> images = detail::open_images(m_labelled[c]);
      const volume_view label = detail::open_label(m_labelled[c]);
      random_stream random = stream(random_purpose::sampling, part::labelled, n, step);
      const bool centred = takes_turn(step, whole, samples, o.foreground) && !m_classes[c].empty();
      const extent3 first =
          centred ? centred_place(m_classes[c].draw(label, random), grid.size, o.patch_size, o.jitter, random)
                  : uniform_place(grid.size, o.patch_size, random);
      crops.cases[static_cast<std::size_t>(n)] = c;
      detail::record_presence(images, crops.presence(n));
      drop(part::labelled, crops, n, step);
      const crop_map map = geometry(part::labelled, first, grid, n, step);
      detail::cut_crop(images, grid, map, crops, n, label);
      change(m_strong, part::labelled, crops, n, step);
      if (!weak) continue;
      weak->cases[static_cast<std::size_t>(n)] = c;
      detail::record_presence(images, weak->presence(n));
      detail::cut_crop(images, grid, map, *weak, n, label);
      change(m_weak, part::labelled_weak, *weak, n, step);
    }
    detail::annotate(crops, weak, m_labelled);
    for (const crop_field& field : m_views.fields) {
      auto& all = crops.fields[field.name];
      all.resize(static_cast<std::size_t>(crops.samples * crops.voxels()));
      for (index n = 0; n < crops.samples; ++n)
        field.fill(crops.label(n), crops.size,
                   std::span(all).subspan(static_cast<std::size_t>(n * crops.voxels()),
                                          static_cast<std::size_t>(crops.voxels())));
    }
  }

  [[nodiscard]] extent3 unlabelled_place(std::uint32_t c, index n, std::uint32_t step) const {
    const batch_options& o = m_options;
    const extent3& size = m_unlabelled_grids[c].size;
    const guide& g = m_guides[c];
    random_stream random = stream(random_purpose::sampling, part::unlabelled, n + 1, step);
    const bool guided = takes_turn(step, in_step(part::unlabelled, n), m_ranks * o.unlabelled, o.guided);
    if (o.centre == unlabelled_sampling::uniform || g.classes.empty() || !guided)
      return uniform_place(size, o.patch_size, random);
    extent3 voxel = g.classes.draw(g.mask, random);
    for (std::size_t a = 0; a < 3; ++a) {
      const double ratio = static_cast<double>(size[a]) / static_cast<double>(g.mask.geometry.size[2 - a]);
      voxel[a] = std::min(static_cast<index>((static_cast<double>(voxel[a]) + random.uniform()) * ratio), size[a] - 1);
    }
    return centred_place(voxel, size, o.patch_size, o.jitter, random);
  }

  // The k-th weak or strong view of unlabelled crops; the first ones are members of the batch.
  static crop_batch& view(step_batch& batch, part strength, index k) {
    if (k == 0) return strength == part::weak ? batch.weak : batch.strong;
    return batch.more[text(strength == part::weak ? "weak_" : "strong_", k + 1)];
  }
  // The streams of random numbers of the k-th view.
  static part view_part(part strength, index k) {
    if (k == 0) return strength;
    return static_cast<part>(static_cast<index>(part::further) + 2 * (k - 1) + (strength == part::strong ? 1 : 0));
  }
  [[nodiscard]] bool mixes() const { return m_options.mix == mix_mode::box && m_views.box_mix && m_views.strong > 0; }

  void make_unlabelled(std::uint32_t step, step_batch& batch) const {
    const batch_options& o = m_options;
    const index samples = m_views.has_unlabelled() ? o.unlabelled : 0;
    crop_batch& drawn = batch.weak;  // as recorded, before its intensities change
    drawn.resize(samples, modalities(), o.patch_size, false, false);
    random_stream choice = detail::batch_stream(m_seed, random_purpose::sampling, part::unlabelled, 0, step);
    const auto cases = distinct_cases(m_ranks * samples, static_cast<index>(m_unlabelled.size()), choice);
    const auto own = cases.begin() + static_cast<std::ptrdiff_t>(m_rank * samples);
    drawn.cases.assign(own, own + static_cast<std::ptrdiff_t>(samples));
    batch.strong.resize(m_views.strong > 0 ? samples : 0, modalities(), o.patch_size, mixes(), mixes());
    for (index n = 0; n < samples; ++n) {
      const std::uint32_t c = drawn.cases[static_cast<std::size_t>(n)];
      const std::vector<volume_view> images = detail::open_images(m_unlabelled[c]);
      const detail::training_grid& grid = m_unlabelled_grids[c];
      detail::record_presence(images, drawn.presence(n));
      detail::cut_crop(images, grid, geometry(part::unlabelled, unlabelled_place(c, n, step), grid, n, step), drawn, n,
                       {});
    }
    for (index k = 0; k < m_views.strong; ++k) copy_view(drawn, part::strong, k, step, view(batch, part::strong, k));
    for (index k = 1; k < m_views.weak; ++k) copy_view(drawn, part::weak, k, step, view(batch, part::weak, k));
    for (index n = 0; n < samples && m_views.weak > 0; ++n) change(m_weak, part::weak, drawn, n, step);
    if (m_views.box_masks) draw_boxes(step, batch.strong);
    if (m_views.weak == 0) drawn.resize(0, modalities(), o.patch_size, false, false);
  }

  // A view of crops that were drawn: strong ones lose modalities, and intensities change.
  void copy_view(const crop_batch& drawn, part strength, index k, std::uint32_t step, crop_batch& out) const {
    const bool known = strength == part::strong && mixes();
    out.resize(drawn.samples, modalities(), drawn.size, known, known);
    std::fill(out.labels.begin(), out.labels.end(), std::uint8_t{0});
    std::fill(out.known.begin(), out.known.end(), std::uint8_t{0});
    out.cases = drawn.cases;
    out.present = drawn.present;
    for (index n = 0; n < drawn.samples; ++n) {
      if (strength == part::strong) drop(view_part(strength, k), out, n, step);
      for (index m = 0; m < modalities(); ++m) {
        const auto from = drawn.image(n, m);
        const auto to = out.image(n, m);
        if (out.presence(n)[static_cast<std::size_t>(m)] != 0)
          std::copy(from.begin(), from.end(), to.begin());
        else
          std::fill(to.begin(), to.end(), 0.f);
      }
      if (strength == part::strong)
        change(m_strong, view_part(strength, k), out, n, step);
      else
        change(m_weak, view_part(strength, k), out, n, step);
    }
  }

  // A random box per crop, for methods that mix crops themselves.
  void draw_boxes(std::uint32_t step, crop_batch& crops) const {
    crops.box.assign(static_cast<std::size_t>(crops.samples * crops.voxels()), std::uint8_t{0});
    for (index n = 0; n < crops.samples; ++n) {
      random_stream random = stream(random_purpose::mixing, part::unlabelled, n, step);
      const mix_region region =
          draw_mix_region(m_options.patch_size, m_options.mix_side, m_options.mix_complement, random);
      detail::fill_region(crops.size, region,
                          std::span(crops.box).subspan(static_cast<std::size_t>(n * crops.voxels()),
                                                       static_cast<std::size_t>(crops.voxels())),
                          [](std::size_t) { return std::uint8_t{1}; });
    }
  }

  void refuse_few_unlabelled() const {
    if (m_ranks * m_options.unlabelled > static_cast<index>(m_unlabelled.size()))
      throw config_error(text("batch.unlabelled = ", m_options.unlabelled,
                              m_ranks > 1 ? text(" in ", m_ranks, " processes") : "",
                              ": crops of a step are from different cases, and there are ", m_unlabelled.size(),
                              " unlabelled cases; lower it"));
  }

  void mix(std::uint32_t step, step_batch& batch) const {
    for (index k = 0; k < m_views.strong; ++k)
      for (index n = 0; n < m_options.unlabelled; ++n) {
        random_stream random = stream(random_purpose::mixing, view_part(part::strong, k), n, step);
        const mix_region region =
            draw_mix_region(m_options.patch_size, m_options.mix_side, m_options.mix_complement, random);
        mix_crop(view(batch, part::strong, k), n, batch.labelled, n % m_options.labelled, region);
      }
  }

  struct guide {
    label_volume mask;
    class_table classes;
  };

  batch_options m_options;
  std::uint64_t m_seed;
  index m_rank = 0, m_ranks = 1;
  std::vector<labelled_training_case> m_labelled;
  std::vector<unlabelled_training_case> m_unlabelled;
  std::vector<detail::training_grid> m_labelled_grids, m_unlabelled_grids;
  std::vector<class_table> m_classes;  // of the labelled cases
  std::vector<guide> m_guides;         // of the unlabelled cases
  Weak m_weak;
  Strong m_strong;
  batch_views m_views;
};

#define COMODAL_BATCH_MAKER(kind) kind class batch_maker<>;
COMODAL_COMMON_ELSEWHERE(COMODAL_BATCH_MAKER)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
