// SPDX-License-Identifier: Apache-2.0
// The page to it: docs/how-to/encoder.md.
// A modality encoder of your own in a network that is composed at compile time. The encoder has dense stages: a stage
// sees its input and what its first convolution made of it, side by side. Three members make it a `modality_encoder`,
// no base class.
#include <comodal/core/runtime.hpp>
#include <comodal/loss/segmentation_loss.hpp>
#include <comodal/model/network.hpp>

#include <cstdio>

template <comodal::tensor_backend Backend>
class dense_encoder {
 public:
  dense_encoder(const comodal::parameter_scope<Backend>& scope, const comodal::encoder_sizes& sizes) : m_sizes(sizes) {
    for (int s = 0; s < sizes.stages(); ++s) {
      const comodal::index in = sizes.in(s), out = sizes.channel(s);
      m_first.emplace_back(scope / s / "first", in, out, sizes.filter(s));
      m_second.emplace_back(scope / s / "second", in + out, out, sizes.filter(s));
    }
  }
  int stages() const { return m_sizes.stages(); }
  comodal::index channels(int s) const { return m_sizes.channel(s); }

  // The input (N, D, H, W, 1) or the map of stage s - 1 -> the map of stage s. Only the forward pass is written.
  // The request tells train from evaluate and has the key of random numbers; this encoder has nothing random.
  comodal::variable<Backend> encode_stage(int s, const comodal::variable<Backend>& x,
                                          const comodal::forward_request&) const {
    const auto at = static_cast<std::size_t>(s);
    const auto down = s == 0 ? x : comodal::max_pool3d(x, m_sizes.stride_to(s));
    return m_second[at](comodal::concat<Backend>({down, m_first[at](down)}));
  }

 private:
  comodal::encoder_sizes m_sizes;
  std::vector<comodal::conv_norm_act<Backend>> m_first, m_second;
};

using backend = comodal::default_backend;
using fusion = comodal::multi_stage_fusion<comodal::gated_fusion, backend>;
using decoder = comodal::unet_decoder<backend>;
using network = comodal::multimodal_network<backend, dense_encoder<backend>, fusion, decoder>;

// Two modalities, two stages of 4 and 8 channels a stream, 8 and 16 fused; the paths name the parameters in a model
// file.
network make(comodal::tape<backend>& tape, comodal::index classes) {
  auto store = std::make_shared<comodal::parameter_store<backend>>(tape, 1);
  const comodal::parameter_scope<backend> root(*store);
  const std::vector<comodal::index> stream{4, 8}, fused{8, 16};
  const comodal::extent3 halve{2, 2, 2};

  std::vector<dense_encoder<backend>> encoders;
  std::vector<decoder> branches;
  for (comodal::index m = 0; m < 2; ++m) {
    encoders.emplace_back(root / "stream" / m, comodal::encoder_sizes{1, stream, {}, {halve}});
    branches.emplace_back(root / "branch" / m, comodal::decoder_sizes{stream, {}, {halve}, classes, 1});
  }
  std::vector<fusion> stages;
  stages.emplace_back(root / "fusion" / 0, comodal::fusion_stage_sizes{{2, stream[0], fused[0]}});
  stages.emplace_back(root / "fusion" / 1, comodal::fusion_stage_sizes{{2, stream[1], fused[1]}, fused[0], halve});
  return {store, encoders, stages, decoder(root / "decoder", {fused, {}, {halve}, classes}), branches};
}

int main() {
  const comodal::runtime runtime;
  comodal::context<backend> context;
  comodal::tape<backend> tape(context);
  const comodal::index classes = 2;
  const network net = make(tape, classes);

  // Noise in two modalities, and a target that one of them shows: class 1 where the first is positive.
  const comodal::shape size{1, 4, 8, 8, 1};
  std::vector<std::vector<float>> values(2);
  std::vector<float> target;
  comodal::random_stream draw(1, comodal::random_purpose::test);
  for (comodal::index i = 0; i < size.size(); ++i) {
    for (auto& v : values) v.push_back(static_cast<float>(draw.uniform(-1, 1)));
    const bool positive = values[0].back() > 0;
    target.insert(target.end(), {positive ? 0.f : 1.f, positive ? 1.f : 0.f});
  }
  const auto out = net.forward({tape.constant(size, values[0]), tape.constant(size, values[1])}, {tape, 1, 2, {1, 1}});
  const auto loss =
      comodal::mean(comodal::dice_cross_entropy{}(out.fused, tape.constant({1, 4, 8, 8, classes}, target)));
  const double before = comodal::item(loss);
  tape.backward(loss);

  // The gradient has come through decoder and fusion to every parameter of the encoders.
  int reached = 0, all = 0;
  for (const auto& p : net.parameters().all()) {
    if (!p.name.starts_with("stream.")) continue;
    ++all;
    const auto g = p.value.grad();
    reached += g && comodal::item(comodal::sum(comodal::power(tape.constant(g), 2))) > 0;
  }
  std::printf("%ld parameters, loss %.3f; gradients of %d of %d arrays of the encoders\n",
              static_cast<long>(net.parameters().count()), before, reached, all);
  return reached == all ? 0 : 1;
}
