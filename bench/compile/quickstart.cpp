// SPDX-License-Identifier: Apache-2.0
// The unit whose compile time is measured (bench/compile_time.py): examples/quickstart.cpp as of 2026-11-28, frozen.
// COMODAL_ONE_MORE_NAME adds a fusion block under a name of its own.
#include <comodal/core/runtime.hpp>
#include <comodal/data/batch_maker.hpp>
#include <comodal/data/normalise.hpp>
#include <comodal/data/phantom_case.hpp>
#include <comodal/infer/sliding_window.hpp>
#include <comodal/metric/overlap.hpp>
#include <comodal/ssl/method_registry.hpp>
#include <comodal/train/optimiser_set.hpp>

#include <cstdio>

using backend = comodal::default_backend;

#ifdef COMODAL_ONE_MORE_NAME
struct soft_vote {};

template <comodal::tensor_backend Backend>
struct comodal::fusion_block<soft_vote, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes)
      : project(scope / "project", sizes.stream_channels, sizes.fused_channels, {1, 1, 1}) {}
  variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>& present) const {
    std::vector<variable<Backend>> scores;
    for (const auto& map : maps) scores.push_back(mean(map, {4}));
    return project(weighted_sum(maps, masked_softmax(concat(scores), present.mask())));
  }
  convolution<Backend> project;
};
#endif

// A case in memory. Cases from files come out of comodal::prepare_case, with the same members.
struct head {
  std::vector<comodal::image_volume> images;  // FLAIR, T1, T1ce, T2 on one grid
  comodal::label_volume label;                // 0 background, 1 core, 2 oedema, 3 rim

  explicit head(std::uint32_t number) {
    comodal::phantom_options options;
    options.grid = {32, 32, 24};
    options.spacing = {4.5, 4.5, 5.5};
    options.lesion_ml = 30;
    auto made = comodal::make_phantom_case(options, 1, number);
    images.assign(made.images.begin(), made.images.end());
    label = std::move(made.labels);
    const auto mask = comodal::head_mask(images);
    for (auto& image : images) comodal::normalise(image, mask, comodal::normalisation::head);
  }
  std::vector<comodal::volume_view> modalities() const { return {&images[0], &images[1], &images[2], &images[3]}; }
};

int main() {
  const comodal::runtime runtime;  // first, so that it outlives everything else
  comodal::context<backend> context;
  comodal::tape<backend> tape(context);

  std::vector<head> heads;
  for (std::uint32_t number = 0; number < 7; ++number) heads.emplace_back(number);
  const head& unseen = heads[6];

  // What each step sees: crops of labelled heads, and a weak and a strong view of crops of unlabelled ones.
  comodal::batch_options crops;
  crops.patch_size = {16, 24, 24};
  comodal::batch_maker<> batches(
      crops, {{"0", heads[0].modalities(), &heads[0].label}, {"1", heads[1].modalities(), &heads[1].label}},
      {{"2", heads[2].modalities()},
       {"3", heads[3].modalities()},
       {"4", heads[4].modalities()},
       {"5", heads[5].modalities()}},
      1);

  // What learns: a network of three stages; one output channel, the lesion, which is made of labels 1, 2 and 3.
  comodal::network_options network;
  network.stream_channels = {4, 8, 16};
  network.fused_channels = {8, 16, 32};
  comodal::contrastive_mutual_learning_options options;
  options.ema_decay = 0.8;  // a short run: the teacher must keep up
  const auto lesion = comodal::target_map::of_regions({{1, 2, 3}});
  auto names = comodal::method_registry<backend>::built_in();
#ifdef COMODAL_ONE_MORE_NAME
  names.fusion<soft_vote>("soft_vote");
#endif
  auto method = comodal::make_method<backend>(tape, options, network, 4, lesion, 1, {}, names);
  comodal::optimiser_options rates;
  rates.learning_rate = 0.1;
  comodal::optimiser_set<backend> optimiser(rates, method.trained());

  const std::uint32_t steps = 40;
  std::vector<double> losses;
  for (std::uint32_t step = 0; step < steps; ++step) {
    const comodal::step_request at{step, steps};
    optimiser.zero_grad();
    const auto values = method.step(batches.make(step), at);
    (void)optimiser.update(comodal::learning_rate(rates, step, steps), step);
    method.after_update(at);
    for (const auto& [name, value] : values)
      if (name == "supervised") losses.push_back(comodal::item(value));
    if (step % 10 == 9) std::printf("step %2u  supervised loss %.3f\n", step + 1, losses.back());
  }

  // Windows over the whole head, the mean of their probabilities, the averaged weights of the teacher.
  const comodal::window_options windows{crops.patch_size, 0.5, {}};
  const auto maps = comodal::sliding_window(
      tape, unseen.modalities(), {1, 1, 1, 1}, comodal::label_kind::regions, windows,
      [&](const auto& volumes, const auto& present) {
        return std::vector{method.predict(volumes, present, comodal::network_outputs::fused_only).fused};
      });
  const comodal::label_volume predicted{unseen.label.geometry, comodal::labels_of_regions(maps[0], {1})};
  const double dice = comodal::dice(comodal::count_overlap(predicted, unseen.label, {"lesion", {1, 2, 3}}));
  std::printf("Dice of the lesion in an unseen head: %.2f\n", dice);

  return losses.back() < losses.front() / 2 ? 0 : 1;
}
