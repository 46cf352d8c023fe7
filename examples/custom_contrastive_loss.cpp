// SPDX-License-Identifier: Apache-2.0
// The page to it: docs/how-to/loss.md.
// A contrastive loss of your own in contrastive mutual learning: a triplet loss on the prediction maps of the
// modalities. It is a pure function from maps to one value per sample and class; which maps are contrasted, and the
// queue, belong to the method.
#include <comodal/core/runtime.hpp>
#include <comodal/model/make_network.hpp>
#include <comodal/ssl/contrastive_mutual_learning.hpp>
#include <comodal/train/optimiser_set.hpp>

#include <cstdio>

// The mean over negatives j of max(0, margin + |a - p|^2 - |a - n_j|^2), squares averaged over voxels.
struct triplet_contrast {
  double margin = 0.1;

  // anchor, partner (N, V, K), negatives (J, V, K) or empty, allowed (N, J, K) of zeros and ones -> (N, K). Gradients
  // are for the anchor alone.
  template <comodal::tensor_backend Backend>
  comodal::variable<Backend> operator()(const comodal::variable<Backend>& anchor,
                                        const comodal::variable<Backend>& partner,
                                        const comodal::variable<Backend>& negatives,
                                        const comodal::variable<Backend>& allowed) const {
    const comodal::index n = anchor.extent(0), voxels = anchor.extent(1), classes = anchor.extent(2);
    const auto pull = distance(anchor, comodal::detach(partner));  // (N, 1, K)
    if (!negatives) return comodal::reshape(pull, {n, classes});
    const comodal::index count = negatives.extent(0);
    const auto push = distance(comodal::reshape(anchor, {n, 1, voxels, classes}),
                               comodal::reshape(comodal::detach(negatives), {1, count, voxels, classes}));
    const auto excess = comodal::shift(pull - comodal::reshape(push, {n, count, classes}), margin);
    const auto hinge = comodal::leaky_relu(excess, 0) * allowed;
    return comodal::reshape(comodal::sum(hinge, {1}) / comodal::shift(comodal::sum(allowed, {1}), 1e-6), {n, classes});
  }

 private:
  // (..., V, K) and (..., V, K), broadcast -> (..., 1, K).
  template <comodal::tensor_backend Backend>
  static comodal::variable<Backend> distance(const comodal::variable<Backend>& a, const comodal::variable<Backend>& b) {
    const auto square = comodal::power(a - b, 2);
    return comodal::mean(square, {square.shape().rank() - 2});
  }
};

using backend = comodal::default_backend;
using network = comodal::any_network<backend>;
using method = comodal::contrastive_mutual_learning<backend, network, triplet_contrast>;

// Two crops of noise in two modalities; a batch_maker draws them from real cases instead (quickstart.cpp).
comodal::crop_batch noise(bool labelled, std::uint32_t number) {
  comodal::crop_batch crops;
  crops.resize(2, 2, {8, 16, 16}, labelled, false);
  comodal::random_stream draw(1, comodal::random_purpose::test, number);
  for (auto& image : crops.images)
    for (float& v : image) v = static_cast<float>(draw.normal(0, 1));
  for (std::size_t i = 0; i < crops.labels.size(); ++i) crops.labels[i] = crops.images[0][i] > 1;
  crops.present = {1, 1, 1, 1};
  crops.cases = {2 * number, 2 * number + 1};
  return crops;
}

int main() {
  const comodal::runtime runtime;
  comodal::context<backend> context;
  comodal::tape<backend> tape(context);

  comodal::network_options options;
  options.stream_channels = {4, 8};
  options.fused_channels = {8, 8};
  comodal::contrastive_mutual_learning_options weights;
  weights.contrast = 1;
  const auto build = [&] { return comodal::make_network<backend>(tape, options, 2, 2, 1); };
  method learn(build(), build(), comodal::target_map::of_classes(2), weights, triplet_contrast{0.2});
  comodal::optimiser_set<backend> optimiser({}, learn.trained());

  const comodal::crop_batch unlabelled = noise(false, 1);
  const comodal::step_batch batch{0, noise(true, 0), unlabelled, unlabelled, {}};
  const comodal::step_request at{0, 1};
  optimiser.zero_grad();
  const auto values = learn.step(batch, at);
  (void)optimiser.update(0.01, 0);
  learn.after_update(at);

  bool contrasted = false;
  for (const auto& [name, value] : values) {
    std::printf("%-22s %.4f\n", name.c_str(), comodal::item(value));
    contrasted |= name == "contrast" && comodal::item(value) > 0;
  }
  return contrasted ? 0 : 1;
}
