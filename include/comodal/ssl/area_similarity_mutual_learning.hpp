// SPDX-License-Identifier: Apache-2.0
/// @file
/// Area-similarity contrastive mutual learning with pseudo-label re-learning (Semi-CML; Zhang et al., Medical Image
/// Analysis 83, 2023): prediction maps of two modalities agree and differ from those of other patients; later, branches
/// re-learn the teacher's soft labels.
#ifndef COMODAL_SSL_AREA_SIMILARITY_MUTUAL_LEARNING_HPP
#define COMODAL_SSL_AREA_SIMILARITY_MUTUAL_LEARNING_HPP

#include <comodal/loss/consistency_loss.hpp>
#include <comodal/loss/contrastive_loss.hpp>
#include <comodal/ssl/parts/averaged_student.hpp>
#include <comodal/ssl/parts/foreground_maps.hpp>
#include <comodal/ssl/parts/pairs.hpp>
#include <comodal/ssl/parts/ramp.hpp>
#include <comodal/ssl/parts/teacher_options.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The options of `area_similarity_mutual_learning`, the table [method.area_similarity_mutual_learning].
struct area_similarity_mutual_learning_options {
  static constexpr std::string_view name = "area_similarity_mutual_learning";

  double branch_weight = 0.5;  // of the branches' losses beside the fused one's
  double ema_decay = 0.99;     // of the teacher's weights
  double ramp = 0.4;           // fraction of the run over which the squared error between branches rises
  double contrast = 0.4;
  double consistency = 0.1;
  double relearn = 0.6;
  double relearn_contrast = 0.1;
  double counted_voxels = 32;

  /// Calls `visit(key, reference, help)` for every option.
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit_teacher_options(o, visit);
    visit("contrast", o.contrast, "weight of the contrast between modalities");
    visit("consistency", o.consistency, "weight of the squared error between branches");
    visit("relearn", o.relearn, "fraction of the run after which branches learn the teacher's labels instead");
    visit("relearn_contrast", o.relearn_contrast, "share of the contrast in that");
    visit("counted_voxels", o.counted_voxels,
          "mass of the teacher's prediction, in voxels, from which a class counts in a crop's contrast");
  }
  /// @throws config_error naming the key that makes no sense
  void check() const {
    const auto key = [](std::string_view of) { return text("method.", name, '.', of); };
    check_teacher_options(*this);
    expect_between(key("contrast"), contrast, 0, 1000);
    expect_between(key("consistency"), consistency, 0, 1000);
    expect_between(key("relearn"), relearn, 0, 1);
    expect_between(key("relearn_contrast"), relearn_contrast, 0, 1);
    expect_between(key("counted_voxels"), counted_voxels, 0, 1e9);
  }
};

namespace ssl_detail {

// (N, N, 1): 1 where two crops differ.
template <class T>
struct other_crop_body {
  index samples;
  T* other;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { other[i] = i / samples != i % samples ? T(1) : T(0); }
};

// 1 before a fraction of the run, 0 from there on.
[[nodiscard]] inline step_scalar before(const progress& at, double fraction) {
  return {at, [](const progress& now, double end) { return now.fraction() < end ? 1.0 : 0.0; }, fraction};
}

}  // namespace ssl_detail

/// L_sup + [before `relearn`] (contrast . L_asc + ramp . consistency . L_mse) + [from then on] L_relearn, on unlabelled
/// crops:
///  - L_asc contrasts the maps of modalities m and n of a crop with those of both in the other crops of the step;
///    similarity is soft Dice, without a temperature; all maps receive gradients;
///  - L_mse is the squared error between two branches' probabilities;
///  - L_relearn is the mean over branches of relearn_contrast . (the same contrast, with the teacher's map as partner)
///    + (1 - relearn_contrast) . (the supervised loss against the teacher's probabilities).
template <tensor_backend Backend>
class area_similarity_mutual_learning : public averaged_student<Backend> {
  using base = averaged_student<Backend>;
  using maps_list = std::vector<variable<Backend>>;  // per modality, (U, V, K)

 public:
  using options_type = area_similarity_mutual_learning_options;

  /// @throws config_error for a network of one modality or without branches
  area_similarity_mutual_learning(const method_setup<Backend>& setup, const options_type& options)
      : base(setup, options), m_options(options), m_loss(setup.segmentation_loss()) {
    expect_branches(setup.options(), base::student().modalities(), options_type::name);
  }

  [[nodiscard]] batch_views views() const { return {.box_mix = false, .least_unlabelled = 2, .partial_labels = true}; }

  [[nodiscard]] named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    expect_unlabelled(batch, "area-similarity mutual learning");
    const label_kind kind = base::targets().kind;
    const device_batch<Backend> crops(base::home(), batch);
    const network_input<Backend> input({&crops.labelled, &crops.strong});
    const index labelled = crops.labelled.samples, all = input.present.samples();
    const auto q = probabilities(base::teacher()
                                     .forward(crops.weak.volumes, crops.weak.present,
                                              request.pass(network_outputs::fused_only, forward_mode::evaluate))
                                     .fused,
                                 kind);
    const auto out = base::student().forward(input.volumes, input.present,
                                             request.pass(network_outputs::logits, forward_mode::train));
    const auto supervised = base::supervised(out, crops.labelled);

    std::vector<variable<Backend>> logits;
    maps_list maps;
    for (const auto& z : out.branches) {
      logits.push_back(slice(z, 0, labelled, all));
      maps.push_back(foreground_maps(probabilities(logits.back(), kind), kind));
    }
    const auto other_crops = others(q);
    const auto pairs = [&](const auto& term) {
      return mean_over_pairs(base::home(), input.present, labelled, term,
                             [](index, index) { return variable<Backend>{}; });
    };
    const auto contrast = pairs([&](index m, index n) {
      return contrasted(maps[at(m)], maps[at(n)], maps[at(n)], other_crops, crops.strong.present, m, n);
    });
    const auto squares = pairs([&](index m, index n) {
      const auto d = probabilities(logits[at(m)], kind) - probabilities(logits[at(n)], kind);
      return reshape(mean(d * d, {1, 2, 3, 4}), {d.extent(0)});
    });
    const auto relearnt = relearn(logits, maps, q, other_crops, crops.strong.present);

    const step_scalar early = ssl_detail::before(request, m_options.relearn);
    const auto loss = supervised + scale(contrast, early * m_options.contrast) +
                      scale(scale(squares, ramp_up(request, m_options.ramp) * m_options.consistency), early) +
                      scale(relearnt, 1.0 - early);
    base::home().backward(loss);
    return {{"loss", loss},
            {"supervised", supervised},
            {"contrast", contrast},
            {"consistency", squares},
            {"relearn", relearnt}};
  }

 private:
  static constexpr std::size_t at(index m) { return static_cast<std::size_t>(m); }

  // Which class of which other crop may be a negative of a crop: (U, U, K), where the teacher sees some of it.
  [[nodiscard]] variable<Backend> others(const variable<Backend>& q) const {
    using T = typename Backend::scalar_type;
    auto& ctx = q.ctx();
    const index samples = q.extent(0);
    const auto never = q.home().constant(ops::full(ctx, shape{samples, 1}, T(0)));
    const auto counts = slice(counting_classes(q, never, m_options.counted_voxels), 1,
                              first_foreground(base::targets().kind), q.extent(4));
    auto other = ctx.make({samples, samples, 1});
    ops::each(ctx, other.size(), ssl_detail::other_crop_body<T>{samples, other.data()});
    return detach(q.home().constant(other) * reshape(counts, {1, samples, counts.extent(1)}));
  }

  // The loss (U) of maps m against a partner; negatives are the maps of m and of `second` in other crops that have m
  // and n.
  [[nodiscard]] variable<Backend> contrasted(const variable<Backend>& anchor, const variable<Backend>& partner,
                                             const variable<Backend>& second, const variable<Backend>& other_crops,
                                             const presence<Backend>& present, index m, index n) const {
    const auto has = [&](index of) { return slice(present.mask(), 1, of, of + 1); };  // (U, 1)
    const auto one = detach(other_crops * reshape(has(m) * has(n), {1, present.samples(), 1}));
    const area_similarity_contrast contrast{map_similarity::soft_dice, 1, contrast_gradients::all};
    const auto by_class =
        contrast(anchor, partner, concat<Backend>({anchor, second}, 0), concat<Backend>({one, one}, 1));
    return reshape(mean(by_class, {1}), {by_class.extent(0)});
  }

  [[nodiscard]] variable<Backend> relearn(const std::vector<variable<Backend>>& logits, const maps_list& maps,
                                          const variable<Backend>& q, const variable<Backend>& other_crops,
                                          const presence<Backend>& present) const {
    const variable<Backend> none;
    const double share = m_options.relearn_contrast;
    const auto target = foreground_maps(q, base::targets().kind);
    variable<Backend> total;
    for (index m = 0; m < present.modalities(); ++m) {
      const auto learns = contrasted(maps[at(m)], target, target, other_crops, present, m, m) * share +
                          m_loss(logits[at(m)], q, none, none) * (1 - share);
      const auto weights = reshape(slice(present.share(), 1, m, m + 1), {present.samples()});
      const auto value = sum(learns * weights);
      total = total ? total + value : value;
    }
    return total / static_cast<double>(present.samples());
  }

  options_type m_options;
  any_segmentation_loss<Backend> m_loss;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
