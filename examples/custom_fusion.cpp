// SPDX-License-Identifier: Apache-2.0
// The page to it: docs/how-to/fusion-block.md.
// A fusion block of your own: the strongest response of the present modalities, mixed by a 1x1x1 convolution. A tag, a
// specialisation and the forward pass are all that it takes; the tape derives the gradients, and check_gradient proves
// them.
#include <comodal/autograd/check_gradient.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/model/fusion_stage.hpp>

#include <cstdio>

struct strongest_fusion {};  // the tag, the block's name

template <comodal::tensor_backend Backend>
struct comodal::fusion_block<strongest_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes)
      : m_mix(scope / "mix", sizes.stream_channels, sizes.fused_channels, {1, 1, 1}, true) {}

  // M maps (N, D, H, W, c) -> (N, D, H, W, C). An absent modality is pushed far down, so that it never is the
  // strongest.
  variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>& present) const {
    const auto push = scale(shift(present.mask(), -1), 1e4);  // (N, M): 0 or -10000
    std::vector<variable<Backend>> candidates;
    for (std::size_t m = 0; m < maps.size(); ++m)
      candidates.push_back(maps[m] + weight_of(push, static_cast<index>(m)));
    return m_mix(reshape(max(stack(candidates, 1), 1), maps[0].shape()));
  }

 private:
  convolution<Backend> m_mix;
};

int main() {
  using backend = comodal::kokkos_backend<comodal::default_space, double>;  // finite differences need double
  const comodal::runtime runtime;
  comodal::context<backend> context;
  comodal::tape<backend> tape(context);
  comodal::parameter_store<backend> parameters(tape, 1);

  // One stage of a network around the block: 3 modalities of 4 channels become one map of 6.
  const comodal::multi_stage_fusion<strongest_fusion, backend> stage({parameters, "fusion"}, {{3, 4, 6}});
  const comodal::presence<backend> present(tape, 2, 3, {1, 1, 1, /* the second sample lacks modality 1 */ 1, 0, 1});

  std::vector<comodal::variable<backend>> inputs;
  comodal::random_stream draw(1, comodal::random_purpose::test);
  for (int m = 0; m < 3; ++m) {
    std::vector<double> values(2 * 2 * 3 * 3 * 4);
    for (double& v : values) v = draw.uniform(-1, 1);
    inputs.push_back(tape.leaf(context.make({2, 2, 3, 3, 4}, values)));
  }
  for (const auto& p : parameters.all()) inputs.push_back(p.value);

  const auto report =
      comodal::check_gradient([&](const auto& x) { return stage.fuse({x[0], x[1], x[2]}, present, {}); }, inputs);
  std::printf("%ld derivatives, largest relative error %.1e\n%s\n", static_cast<long>(report.compared), report.worst,
              report.place.c_str());
  return report.passed() ? 0 : 1;
}
