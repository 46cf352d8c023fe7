// SPDX-License-Identifier: Apache-2.0
// The main network on Kokkos' default execution space, from random volumes to a scored prediction: what the compile
// matrix builds for every back end. Where it can run, it prints numbers that are the same for every host Kokkos and
// every number of threads: the losses, the norm of the gradient, hashes of the trained parameters and of the
// prediction, and a sum over the operations that the network does not use.
#include <comodal/comodal.hpp>

#include <bit>
#include <cstdio>
#include <cstdlib>

namespace {

using backend = comodal::mixed_backend;
using comodal::index;

// Every member of the trainer is compiled, called or not.
template <comodal::tensor_backend Backend>
struct whole_trainer {
  void use(comodal::trainer<Backend>& trainer) {
    trainer.resume("checkpoint.safetensors");
    (void)trainer.run();
  }
};

// FNV-1a, 64 bits, of the bytes of some values.
template <class Scalar>
std::uint64_t hash_of(const std::vector<Scalar>& values, std::uint64_t hash = 14695981039346656037u) {
  for (const Scalar value : values)
    for (const auto byte : std::bit_cast<std::array<unsigned char, sizeof(Scalar)>>(value))
      hash = (hash ^ byte) * 1099511628211u;
  return hash;
}

std::uint64_t hash_of(const comodal::parameter_store<backend>& parameters) {
  std::uint64_t hash = hash_of(std::vector<char>{});
  for (const auto& p : parameters.all()) hash = hash_of(to_host(p.value.ctx().space(), p.value.value()), hash);
  return hash;
}

// A case of two modalities: noise with a bright ball, and the ball as its label.
struct random_case {
  comodal::image_volume first, second;
  comodal::label_volume label;

  explicit random_case(std::uint32_t number) {
    const std::array<index, 3> size{24, 20, 12};
    for (auto* volume : {&first, &second}) volume->geometry.size = size;
    label.geometry.size = size;
    comodal::random_stream draw(7, comodal::random_purpose::test, number);
    const double centre[3] = {draw.uniform(8, 16), draw.uniform(7, 13), draw.uniform(4, 8)};
    for (index k = 0; k < size[2]; ++k)
      for (index j = 0; j < size[1]; ++j)
        for (index i = 0; i < size[0]; ++i) {
          const double x = static_cast<double>(i) - centre[0], y = static_cast<double>(j) - centre[1],
                       z = static_cast<double>(k) - centre[2];
          const bool inside = x * x + y * y + z * z < 16;
          first.values.push_back(static_cast<float>(draw.uniform(-1, 1) + (inside ? 1.0 : 0.0)));
          second.values.push_back(static_cast<float>(draw.uniform(-1, 1) + (inside ? 0.5 : 0.0)));
          label.values.push_back(inside ? 1 : 0);
        }
  }
  [[nodiscard]] std::vector<comodal::volume_view> images() const { return {first, second}; }
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

// The operations that a network of the defaults does not reach, forward and backward; the sum of the gradient.
template <comodal::tensor_backend Backend>
double other_operations() {
  comodal::context<Backend> ctx;
  comodal::tape<Backend> home(ctx);
  comodal::random_stream draw(3, comodal::random_purpose::test);
  std::vector<typename Backend::scalar_type> values(2 * 4 * 4 * 4 * 3);
  for (auto& v : values) v = static_cast<typename Backend::scalar_type>(draw.uniform(0.1, 1));
  const auto x = home.leaf(ctx.make({2, 4, 4, 4, 3}, values));
  auto y = comodal::max_pool3d(comodal::upsample3d(x, {1, 2, 2}), {2, 2, 2});
  y = comodal::dropout(y, 0.25, 1, 2, 3) + comodal::l2_normalize(comodal::average_pool3d(x, {2, 1, 1}), 4);
  y = comodal::elementwise(y, cube{}, cube_slope{}) - comodal::power(comodal::shift(y, 1), 1.5);
  y = comodal::stack<Backend>({y, comodal::sqrt(comodal::exp(y)), comodal::log(comodal::shift(comodal::sigmoid(y), 1))},
                              1);
  y = comodal::leaky_relu(comodal::softmax(y, 1) / comodal::shift(comodal::max(y, -1), 4));
  const auto a = comodal::reshape(y, {2, y.shape().size() / 24, 12}), b = comodal::reshape(x, {2, 12, 16});
  home.backward(comodal::mean(comodal::matmul(a, b)));
  return comodal::item(comodal::sum(home.constant(x.grad())));
}

comodal::target_map ball() { return comodal::target_map::of_classes(2); }

int run(int threads) {
  const comodal::runtime start(threads);
  comodal::context<backend> ctx;
  comodal::tape<backend> home(ctx);

  std::vector<random_case> cases;
  for (std::uint32_t n = 0; n < 5; ++n) cases.emplace_back(n);
  comodal::batch_options options;
  options.patch_size = {8, 16, 16};
  comodal::batch_maker<> maker(options,
                               {{"a", cases[0].images(), cases[0].label}, {"b", cases[1].images(), cases[1].label}},
                               {{"c", cases[2].images()}, {"d", cases[3].images()}}, 11);

  comodal::network_options network;
  network.stream_channels = {4, 8, 8};
  network.fused_channels = {8, 8, 16};
  auto method = comodal::make_method<backend>(home, "contrastive_mutual_learning", network, 2, ball(), 5);
  comodal::optimiser_set<backend> optimiser({}, method.trained());
  for (std::uint32_t step = 0; step < 3; ++step) {
    comodal::step_batch batch;
    maker.make(step, batch);
    optimiser.zero_grad();
    const auto values = method.step(batch, {step + 4, 10});
    const auto norm = optimiser.update(0.01, step)[0];
    method.after_update({step, 10});
    std::printf("step %u:", step);
    for (const auto& [name, value] : values) std::printf(" %s %.9g", name.c_str(), comodal::item(value));
    std::printf(" norm %.9g\n", comodal::item(comodal::slice(norm, 0, 0, 1)));
  }
  std::printf("student %016llx\nteacher %016llx\n",
              static_cast<unsigned long long>(hash_of(*method.trained()[0].store)),
              static_cast<unsigned long long>(hash_of(method.predictor("ema").parameters())));

  const auto maps = comodal::sliding_window(home, cases[4].images(), {1, 1}, comodal::label_kind::classes,
                                            {{8, 16, 16}, 0.5, {2}}, [&](const auto& volumes, const auto& present) {
                                              const auto out = method.predict(volumes, present,
                                                                              comodal::network_outputs::all, "student");
                                              return std::vector{out.fused, out.branches[0]};
                                            });
  comodal::label_volume prediction = cases[4].label;
  prediction.values = comodal::most_probable(maps[0]);
  const auto scores = comodal::score_case(prediction, cases[4].label, {{"ball", {1}}}, "e");
  std::printf("maps %016llx dice %.9g\n",
              static_cast<unsigned long long>(hash_of(maps[1].values, hash_of(maps[0].values))), scores[0].dice);
  std::printf("others %.9g %.17g\n", other_operations<backend>(),
              other_operations<comodal::kokkos_backend<comodal::default_space, double>>());
  return 0;
}

template struct whole_trainer<backend>;

}  // namespace

int main(int count, char** arguments) {
  std::fprintf(stderr, "Kokkos %s, execution space %s\n", comodal::kokkos_version().c_str(),
               comodal::default_space::name());
  return run(count > 1 ? std::atoi(arguments[1]) : 0);
}
