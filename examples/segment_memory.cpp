// SPDX-License-Identifier: Apache-2.0
// Segments volumes that lie in memory, as a viewer, a scanner's program or a binding to another language has them.
//   segment_memory MODEL MASK IMAGE...   the .nii files are mapped read-only, "-" is an absent modality;
//                                        MASK is the file that `comodal predict` would write
// Without arguments it segments a phantom with an untrained network: its images as floats, and as int16 with a scale.
#include <comodal/core/runtime.hpp>
#include <comodal/data/nifti_write.hpp>
#include <comodal/data/phantom_case.hpp>
#include <comodal/infer/predict_case.hpp>
#include <comodal/model/make_network.hpp>

#include <cmath>
#include <cstdio>
#include <string_view>

using backend = comodal::mixed_backend;

// A model in memory and what it runs in.
struct segmenter {
  comodal::context<backend> context;
  comodal::tape<backend> tape{context};
  comodal::model_plan plan;
  comodal::any_network<backend> network;

  explicit segmenter(const comodal::safetensors_file& model)
      : plan(comodal::plan_of(model, "model")),
        network(comodal::make_network<backend>(tape, plan.network, static_cast<comodal::index>(plan.modalities.size()),
                                               plan.channels(), plan.seed)) {
    comodal::load_parameters(network.parameters(), "ema/", model);
  }

  // One view per modality, empty where it is absent; the labels lie on the grid of the views.
  comodal::label_volume operator()(const std::vector<comodal::volume_view>& images) {
    const comodal::case_files files{"in memory", {images.begin(), images.end()}};
    const auto one = comodal::prepare_case(files, plan.prepare);
    const auto outputs = comodal::predict_case<backend>(
        tape, plan, one, {}, {plan.patch_size, 0.5, {}},
        [&](const auto& volumes, const auto& present, auto which) { return network.forward(volumes, present, which); });
    return comodal::restore(outputs[0].labels, one.preparation);
  }
};

// A model that nobody trained.
comodal::safetensors_file untrained_model() {
  comodal::model_plan plan;
  plan.modalities = {"FLAIR", "T1", "T1ce", "T2"};
  plan.labels = {{"background", {0}}, {"lesion", {1}}};
  plan.network.stream_channels = {4, 8};
  plan.network.fused_channels = {8, 16};
  plan.patch_size = {16, 16, 16};
  plan.predictors = {"ema"};
  comodal::context<backend> context;
  comodal::tape<backend> tape(context);
  comodal::safetensors_file model;
  comodal::write_plan(plan, model);
  comodal::save_parameters(comodal::make_network<backend>(tape, plan.network, 4, 2, 1).parameters(), "ema/", model);
  return model;
}

int demonstrate() {
  comodal::phantom_options options;
  options.grid = {32, 32, 24};
  options.spacing = {4.5, 4.5, 5.5};
  auto head = comodal::make_phantom_case(options, 1, 0);
  std::vector<comodal::volume_view> floats, shorts;
  std::vector<std::vector<std::int16_t>> memory;  // of somebody else: stored values v stand for v / 2 + 10
  for (auto& image : head.images) {
    auto& stored = memory.emplace_back();
    for (float& v : image.values) {
      stored.push_back(static_cast<std::int16_t>(std::lround((v - 10) * 2)));
      v = 0.5f * static_cast<float>(stored.back()) + 10;
    }
    floats.emplace_back(image);
    shorts.emplace_back(stored.data(), comodal::scalar_type::int16, image.geometry, nullptr,
                        comodal::value_scale{0.5, 10});
  }
  floats[2] = shorts[2] = {};  // T1ce was not recorded
  segmenter segment(untrained_model());
  const auto mask = segment(floats);
  std::printf("%zu of %zu voxels are labelled\n", comodal::foreground_voxels(mask), mask.values.size());
  return mask.values == segment(shorts).values ? 0 : 1;
}

int main(int count, char** words) {
  const comodal::runtime runtime;
  if (count < 4) return demonstrate();
  segmenter segment(comodal::read_safetensors(words[1]));
  std::vector<comodal::volume_view> images;
  comodal::nifti_header header;  // of the first image: the mask gets its grid
  for (int i = 3; i < count; ++i) {
    const bool there = std::string_view(words[i]) != "-";
    const auto file = there ? comodal::map_nifti(words[i]) : comodal::nifti_view{};
    if (there && header.datatype == 0) header = file.header;
    images.push_back(file.values);
  }
  comodal::write_nifti_labels(words[2], segment(images), header);
}
