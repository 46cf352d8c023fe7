// SPDX-License-Identifier: Apache-2.0
// Single operations, forward and backward apart: bytes/s of the maps that must be read and written once,
// FLOP/s (multiply-add = 2), and the share of this machine's measured limits, copying and multiply-adds, whichever
// binds.
#include "micro.hpp"

#include <comodal/core/runtime.hpp>
#include <comodal/loss/consistency_loss.hpp>
#include <comodal/loss/contrastive_loss.hpp>
#include <comodal/loss/segmentation_loss.hpp>
#include <comodal/model/fusion_block.hpp>
#include <comodal/nn/averaging.hpp>
#include <comodal/train/optimiser_registry.hpp>

namespace {

using namespace bench;
using comodal::conv3d_problem;
using comodal::direction;
using comodal::index;
using comodal::shape;
using comodal::text;

constexpr double unit = 2.0 * 64 * 64 * 64 * 16 * sizeof(scalar);  // bytes of the map `finest`
const shape finest{2, 64, 64, 64, 16}, narrow{2, 64, 64, 64, 8}, half{2, 32, 32, 32, 16}, logits{2, 64, 64, 64, 4},
    channels{16};

#if defined(COMODAL_ENABLE_CUDNN)
constexpr const char* engines[] = {"cudnn", "device"};
#elif defined(COMODAL_ENABLE_ONEDNN)
constexpr const char* engines[] = {"onednn", "host"};
#else
constexpr const char* engines[] = {comodal::is_host_v<backend::space_type> ? "host" : "device"};
#endif

// @param suffix of their names
template <class Backend>
void add_convolutions(suite& all, const char* suffix) {
  using T = typename Backend::scalar_type;
  struct layer {
    index size, in, out, filter, stride;
  };
  for (const layer& l :
       {layer{64, 2, 16, 3, 1}, layer{64, 16, 16, 3, 1}, layer{64, 32, 16, 3, 1}, layer{64, 16, 3, 1, 1},
        layer{32, 32, 32, 3, 1}, layer{32, 64, 32, 3, 1}, layer{16, 64, 64, 3, 1}, layer{16, 128, 64, 3, 1},
        layer{8, 128, 128, 3, 1}, layer{48, 8, 8, 3, 1}, layer{48, 8, 16, 3, 2}}) {
    const conv3d_problem p{2,     {l.size, l.size, l.size},       l.in,
                           l.out, {l.filter, l.filter, l.filter}, {l.stride, l.stride, l.stride}};
    const cost least{
        static_cast<double>(p.input_shape().size() + p.weight_shape().size() + p.output_shape().size()) * sizeof(T),
        2.0 * static_cast<double>(p.multiply_adds())};
    for (const auto d : {direction::forward, direction::backward, direction::backward_weights})
      for (const char* engine : engines)
        all.add(text(conv3d_problem::name(d), "/", l.in, "->", l.out, "/", l.size, "^3/filter ", l.filter, "/stride ",
                     l.stride, "/", engine, suffix),
                least, [=](benchmark::State& state) {
                  auto ctx = std::make_shared<comodal::context<Backend>>();
                  ctx->choose_engine(engine);
                  const auto make = [&](const shape& s) {
                    const auto numbers = waves(s.size());
                    return ctx->make(s, std::vector<T>(numbers.begin(), numbers.end()));
                  };
                  const auto x = make(p.input_shape()), w = make(p.weight_shape()), y = make(p.output_shape());
                  conv3d_problem::arguments<T> arguments;
                  arguments.x[0] = {x.data(), p.in_channels};
                  arguments.w = w.data();
                  arguments.y = y.data();
                  comodal::dispatch(*ctx, p, d, arguments);
                  state.SetLabel(std::string(ctx->runs().begin()->first.second));
                  return std::function<double()>([=] {
                    const double start = now();
                    comodal::dispatch(*ctx, p, d, arguments);
                    ctx->fence();
                    return now() - start;
                  });
                });
  }
}

struct work {
  const char* name;
  std::vector<shape> inputs;
  double forward, backward;  // in maps `finest` that must be read or written once; backward 0: none is measured
  std::function<variable(const variables&)> f;
  double flops = 0, backward_flops = 0;
};

struct cube {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T x) const {
    return x * x * x;
  }
};
struct cube_slope {
  template <class T>
  KOKKOS_INLINE_FUNCTION T operator()(T x) const {
    return T(3) * x * x;
  }
};

// The parameters of a block are made anew a call, outside the large maps.
template <class Tag>
variable fused(const variables& maps) {
  comodal::parameter_store<backend> store(maps[0].home(), 1);
  const auto count = static_cast<index>(maps.size());
  const comodal::fusion_block<Tag, backend> block({store}, {count, maps[0].extent(4), 2 * maps[0].extent(4)});
  return block.fuse(maps, {maps[0].home(), maps[0].extent(0), count,
                           std::vector<float>(static_cast<std::size_t>(maps[0].extent(0) * count), 1.f)});
}

void add_operations(suite& all) {
  const double quarter = 0.25, multiply_adds = 2.0 * 2 * 64 * 64 * 64;  // FLOPs of one multiply-add a voxel
  const shape voxels{2, 64, 64, 64, 1}, moments{2, 1, 1, 1, 16};
  const std::vector<work> works{
      {"add", {finest, finest}, 3, 0, [](const auto& v) { return comodal::add(v[0], v[1]); }},
      {"multiply", {finest, finest}, 3, 5, [](const auto& v) { return comodal::multiply(v[0], v[1]); }},
      {"multiply/by channels", {finest, channels}, 2, 3, [](const auto& v) { return comodal::multiply(v[0], v[1]); }},
      {"multiply/by samples and channels",
       {finest, moments},
       2,
       3,
       [](const auto& v) { return comodal::multiply(v[0], v[1]); }},
      {"multiply/by voxels", {finest, voxels}, 2.06, 3.12, [](const auto& v) { return comodal::multiply(v[0], v[1]); }},
      {"divide", {finest, finest}, 3, 5, [](const auto& v) { return comodal::divide(v[0], comodal::shift(v[1], 2)); }},
      {"scale", {finest}, 2, 2, [](const auto& v) { return comodal::scale(v[0], 2.0); }},
      {"exp", {finest}, 2, 3, [](const auto& v) { return comodal::exp(v[0]); }},
      {"log", {finest}, 2, 3, [](const auto& v) { return comodal::log(v[0]); }},
      {"sqrt", {finest}, 2, 3, [](const auto& v) { return comodal::sqrt(v[0]); }},
      {"power", {finest}, 2, 3, [](const auto& v) { return comodal::power(v[0], 1.5); }},
      {"sigmoid", {finest}, 2, 3, [](const auto& v) { return comodal::sigmoid(v[0]); }},
      {"leaky_relu", {finest}, 2, 3, [](const auto& v) { return comodal::leaky_relu(v[0]); }},
      {"elementwise", {finest}, 2, 3, [](const auto& v) { return comodal::elementwise(v[0], cube{}, cube_slope{}); }},
      {"dropout", {finest}, 2, 2, [](const auto& v) { return comodal::dropout(v[0], 0.1, 1, 2, 3); }},

      {"sum/all", {finest}, 1, 1, [](const auto& v) { return comodal::sum(v[0]); }},
      {"mean/over space", {finest}, 1, 1, [](const auto& v) { return comodal::mean(v[0], {1, 2, 3}); }},
      {"sum/over channels", {finest}, 1.06, 1.06, [](const auto& v) { return comodal::sum(v[0], {4}); }},
      {"max/over channels", {finest}, 1.12, 1.12, [](const auto& v) { return comodal::max(v[0], 4); }},
      {"softmax/4", {logits}, 2 * quarter, 3 * quarter, [](const auto& v) { return comodal::softmax(v[0], -1); }},
      {"masked_softmax/4",
       {logits},
       2 * quarter,
       3 * quarter,
       [](const auto& v) {
         return comodal::masked_softmax(v[0], v[0].home().constant({2, 4}, {1, 1, 0, 1, 1, 1, 1, 1}));
       }},
      {"l2_normalize/over channels", {finest}, 2, 3, [](const auto& v) { return comodal::l2_normalize(v[0], 4); }},
      {"matmul/4 x 512x512x512",
       {{4, 512, 512}, {4, 512, 512}},
       0.375,
       0.75,
       [](const auto& v) { return comodal::matmul(v[0], v[1]); },
       1.074e9,
       2.147e9},
      {"matmul/65536x64x64",
       {{65536, 64}, {64, 64}},
       1,
       2,
       [](const auto& v) { return comodal::matmul(v[0], v[1]); },
       0.537e9,
       1.074e9},

      {"concat/channels", {narrow, narrow}, 2, 2, [](const auto& v) { return comodal::concat(v); }},
      {"stack/modalities", {narrow, narrow}, 2, 2, [](const auto& v) { return comodal::stack(v, 1); }},
      {"slice/channels", {finest}, 1, 1.5, [](const auto& v) { return comodal::slice(v[0], 4, 4, 12); }},

      {"instance_norm",
       {finest, channels, channels},
       3,
       5,
       [](const auto& v) { return comodal::instance_norm(v[0], v[1], v[2]); }},
      {"max_pool3d", {finest}, 1.16, 1.16, [](const auto& v) { return comodal::max_pool3d(v[0], {2, 2, 2}); }},
      {"average_pool3d", {finest}, 1.12, 1.12, [](const auto& v) { return comodal::average_pool3d(v[0], {2, 2, 2}); }},
      {"upsample3d", {half}, 1.12, 1.12, [](const auto& v) { return comodal::upsample3d(v[0], {2, 2, 2}); }},
      {"conv_transpose3d/32->16",
       {{2, 32, 32, 32, 32}, {2, 2, 2, 32, 16}},
       1.25,
       2.5,
       [](const auto& v) { return comodal::conv_transpose3d(v[0], v[1]); },
       multiply_adds * 32 * 16,
       multiply_adds * 32 * 16 * 2},
      {"conv3d/parts 8+8->16",
       {narrow, narrow, {3, 3, 3, 16, 16}},
       2,
       4,
       [](const auto& v) { return comodal::conv3d({v[0], v[1]}, v[2]); },
       multiply_adds * 27 * 256,
       multiply_adds * 27 * 256 * 2},
      {"weighted_conv3d/4 x 8->16",
       {narrow, narrow, narrow, narrow, logits, {1, 1, 1, 32, 16}},
       3.25,
       5.5,
       [](const auto& v) { return comodal::weighted_conv3d({v[0], v[1], v[2], v[3]}, v[4], v[5]); },
       multiply_adds * 32 * 16,
       multiply_adds * 32 * 16 * 2},
      {"gated_add",
       {finest, finest, finest, channels},
       4,
       5,
       [](const auto& v) { return comodal::gated_add(v[0], v[1], v[2], v[3]); }},

      {"fusion/mean of 3 x 8", {narrow, narrow, narrow}, 2.5, 4, fused<comodal::mean_fusion>},
      {"fusion/gated of 3 x 8", {narrow, narrow, narrow}, 2.5, 4, fused<comodal::gated_fusion>},
      {"fusion/channel of 3 x 8", {narrow, narrow, narrow}, 2.5, 4, fused<comodal::channel_fusion>},
      {"fusion/cross_modal of 3 x 8", {narrow, narrow, narrow}, 2.5, 4, fused<comodal::cross_modal_fusion>},
      {"fusion/window_cross_modal of 3 x 8",
       {narrow, narrow, narrow},
       2.5,
       4,
       fused<comodal::window_cross_modal_fusion>},

      {"loss/segmentation_sums of 4",
       {logits, logits},
       2 * quarter,
       3 * quarter,
       [](const auto& v) { return comodal::segmentation_sums(v[0], comodal::detach(v[1])); }},
      {"loss/dice_cross_entropy of 4",
       {logits, logits},
       2 * quarter,
       3 * quarter,
       [](const auto& v) { return comodal::dice_cross_entropy{}(v[0], comodal::detach(v[1])); }},
      {"loss/mean_squared_error of 4",
       {logits, logits},
       2 * quarter,
       3 * quarter,
       [](const auto& v) { return comodal::mean_squared_error{}(v[0], comodal::detach(v[1])); }},
      {"loss/cross_pseudo_supervision of 4",
       {logits, logits},
       2 * quarter,
       3 * quarter,
       [](const auto& v) { return comodal::cross_pseudo_supervision{}(v[0], v[1]); }},
      {"loss/area_similarity_contrast",
       {{2, 2048, 2}, {2, 2048, 2}, {34, 2048, 2}},
       38.0 / 4096,
       38.0 / 4096,
       [](const auto& v) {
         return comodal::area_similarity_contrast{}(
             v[0], v[1], v[2], v[0].home().constant({2, 34, 2}, std::vector<scalar>(136, scalar(1))));
       }}};
  for (const auto& w : works)
    all.add(w.name, w.inputs, {unit * w.forward, w.flops}, {unit * w.backward, w.backward_flops}, w.f);
}

// Updates of all parameters, 2.7 million in 56 tensors: arrays that must be read or written once.
void add_updates(suite& all) {
  struct model {
    comodal::context<backend> ctx;
    comodal::tape<backend> home{ctx};
    comodal::parameter_store<backend> parameters{home, 1}, average{home, 1};
    model() {
      for (auto* store : {&parameters, &average})
        for (index i = 0; i < 56; ++i) (void)store->normal(text("weight ", i), {3, 3, 3, i % 7 < 3 ? 16 : 48, 48}, 0.1);
      for (const auto& p : parameters.all())
        p.value.sink().accumulate(ctx.make(p.value.shape(), waves(p.value.shape().size())));
    }
  };
  const double scalars = static_cast<double>(model().parameters.count());
  const auto add = [&](const char* name, double arrays, auto make) {
    all.add(text("update/", name), {arrays * scalars * sizeof(scalar)}, [make](benchmark::State&) {
      auto m = std::make_shared<model>();
      return std::function<double()>([m, update = make()]() mutable {
        const double start = now();
        update(*m);
        m->ctx.fence();
        return now() - start;
      });
    });
  };
  const auto optimiser = [](const char* name) {
    return [name] {
      comodal::optimiser_options options;
      options.name = name;
      const auto one = std::make_shared<comodal::any_optimiser<backend>>(comodal::make_optimiser<backend>(options));
      return [one](model& m) { (void)one->update(m.parameters, 1e-9, 3); };
    };
  };
  add("sgd", 6, optimiser("sgd"));
  add("adamw", 8, optimiser("adamw"));
  add("clip_gradients", 1, [] { return [](model& m) { (void)comodal::clip_gradients(m.parameters, 12); }; });
  add("average_parameters", 3,
      [] { return [](model& m) { comodal::average_parameters(m.parameters, m.average, 0.99); }; });
}

}  // namespace

int main(int argc, char** argv) {
  const comodal::runtime scope;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const auto limits = machine_limits::measured();
  benchmark::AddCustomContext("limit of copying", text(limits.bytes_per_second / 1e9, " GB/s"));
  benchmark::AddCustomContext("limit of multiply-adds", text(limits.flops_per_second / 1e9, " GFLOP/s"));
  suite all(limits);
  add_convolutions<backend>(all, "");
  add_convolutions<comodal::kokkos_backend<comodal::default_space, comodal::bfloat16>>(all, "/bf16");
  add_operations(all);
  add_updates(all);
  benchmark::RunSpecifiedBenchmarks();
  all.print_below(0.3);
  benchmark::Shutdown();
}
