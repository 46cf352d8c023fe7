// SPDX-License-Identifier: Apache-2.0
// Networks of bfloat16 with masters in float, against the same networks in float.
#define BOOST_TEST_MODULE model_mixed_precision
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/gradients_of.hpp>
#include <comodal/loss/segmentation_loss.hpp>
#include <comodal/model/make_network.hpp>

#include <nn/support.hpp>

#include <omp.h>

namespace comodal::tests {

using single = mixed_backend;
using network = any_network<single>;

struct mixed_bench : bench_of<single> {
  static constexpr index classes = 3;
  std::vector<variable<single>> in{constant({2, 8, 16, 16, 1}, 40), constant({2, 8, 16, 16, 1}, 41)};
  presence<single> present{home, 2, 2, {1, 1, 1, 0}};

  static network_options options(const std::string& precision, const std::string& fusion = "gated") {
    network_options o;
    o.fusion = fusion;
    o.stream_channels = {8, 16};
    o.fused_channels = {16, 16};
    o.deep_supervision = true;
    o.precision = precision;
    return o;
  }
  network make(const network_options& o) {
    auto net = make_network<single>(home, o, 2, classes, 3);
    change(net.parameters(), "gamma",
           [](const std::string& name, std::vector<float>& v) {  // open the gates of enhancement
             if (name.find("enhance") != std::string::npos) std::fill(v.begin(), v.end(), 0.7f);
           });
    return net;
  }
  // Towards something that is to be seen in the volumes: of noise, gradients would be sums that cancel.
  variable<single> loss(const network_output<single>& out, const std::vector<variable<single>>& volumes) {
    const dice_cross_entropy compare;
    const auto y = detach(softmax(scale(concat(std::vector{volumes[0], volumes[1], scale(volumes[0], -1)}), 5), -1));
    auto total = mean(compare(out.fused, y));
    for (const auto& branch : out.branches) total = add(total, scale(mean(compare(branch, y)), 0.5));
    return total;
  }
  std::vector<float> gradients_of(const network& net, const variable<single>& value) {
    net.parameters().zero_grad();
    home.backward(value);
    return all_gradients(net.parameters());
  }
};

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return ab / std::sqrt(aa * bb);
}
double norm(const std::vector<float>& a) {
  double sum = 0;
  for (const float v : a) sum += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(sum);
}

BOOST_FIXTURE_TEST_CASE(initial_values_are_those_of_the_float_network_under_the_same_names, mixed_bench) {
  for (const std::string fusion : {"gated", "early"}) {
    const auto mixed = make_network<single>(home, options("bf16", fusion), 2, classes, 3),
               plain = make_network<single>(home, options("fp32", fusion), 2, classes, 3);
    BOOST_REQUIRE(mixed.parameters().all().size() == plain.parameters().all().size());
    for (std::size_t i = 0; i < plain.parameters().all().size(); ++i) {
      const auto &a = mixed.parameters().all()[i], &b = plain.parameters().all()[i];
      BOOST_TEST(a.name == b.name);
      BOOST_TEST(a.decay == b.decay);
    }
    BOOST_TEST((all_values(mixed.parameters()) == all_values(plain.parameters())));
    BOOST_TEST(mixed.modalities() == 2);
  }
}

BOOST_FIXTURE_TEST_CASE(further_outputs_come_in_float, mixed_bench) {
  const std::vector<network_head> wanted{{"second", "unet_trilinear"}, {"third", "unet_nearest"}, {"distance", "", 2}};
  const auto run = [&](const std::string& precision) {
    const auto net =
        make_network<single>(home, options(precision), 2, classes, 3, network_registry<single>::built_in(), wanted);
    const auto out = net.forward(in, present, network_outputs::logits);
    std::map<std::string, std::vector<float>> heads;
    for (const auto& [name, head] : out.heads) heads[name] = host(head);
    home.backward(sum(out.heads.at("distance")) + sum(out.heads.at("third")) + sum(out.heads.at("second")));
    for (const auto& one : net.parameters().all())
      if (one.name.starts_with("heads.")) BOOST_TEST(static_cast<bool>(one.value.grad()), one.name);
    return heads;
  };
  const auto plain = run("fp32"), mixed = run("bf16");
  BOOST_TEST(mixed.size() == 3u);
  for (const auto& [name, values] : plain) {
    BOOST_TEST(difference(mixed.at(name), values) < 0.05, name);
    BOOST_TEST((mixed.at(name) != values), name);
  }
}

// A bfloat16 has an error of up to 2^-9 of its value. Along the longest path some 12 maps are rounded, each after a
// normalisation that keeps relative errors as they are: errors of the logits add up to about sqrt(12) 2^-9 = 0.7 % of
// their scale, the largest of some thousand to four times that.
constexpr double logits_tolerance = 0.03;

BOOST_FIXTURE_TEST_CASE(the_forward_pass_is_that_of_float_but_for_rounding, mixed_bench) {
  for (const std::string fusion : {"mean", "concat", "gated", "channel", "cross_modal", "early"}) {
    BOOST_TEST_CONTEXT(fusion) {
      const auto a = make(options("fp32", fusion)).forward(in, present),
                 b = make(options("bf16", fusion)).forward(in, present);
      const double off = difference(host(b.fused), host(a.fused));
      BOOST_TEST(off <= logits_tolerance);
      BOOST_TEST(off >= 1e-4);  // it was bfloat16 that computed
      BOOST_REQUIRE(b.branches.size() == a.branches.size());
      BOOST_REQUIRE(b.deep.size() == a.deep.size());
      BOOST_REQUIRE(b.features.size() == a.features.size());
      for (std::size_t i = 0; i < a.branches.size(); ++i)
        BOOST_TEST(difference(host(b.branches[i]), host(a.branches[i])) <= logits_tolerance);
      for (std::size_t i = 0; i < a.deep.size(); ++i)
        BOOST_TEST(difference(host(b.deep[i]), host(a.deep[i])) <= logits_tolerance);
      for (std::size_t i = 0; i < a.features.size(); ++i)
        BOOST_TEST(difference(host(b.features[i]), host(a.features[i])) <= logits_tolerance);
      home.clear();
    }
  }
}

BOOST_FIXTURE_TEST_CASE(outputs_that_were_not_asked_for_are_left_out, mixed_bench) {
  const auto net = make(options("bf16"));
  const auto fused = net.forward(in, present, network_outputs::fused_only),
             logits = net.forward(in, present, network_outputs::logits);
  BOOST_TEST(fused.branches.empty());
  BOOST_TEST(logits.branches.size() == 2u);
  BOOST_TEST(logits.features.empty());
  BOOST_TEST(net.forward(in, present).features.size() == 2u);
  BOOST_TEST(logits.streams.empty());
  BOOST_TEST(net.forward(in, present).streams.size() == 2u);
}

// Rounding turns gradients of an untrained network: where an input of an activation changes its sign, or another voxel
// is the largest of its window, a whole element comes and goes. Rounding the weights of the float network alone gives
// cosines from 0.98 (gated fusion); the fewer numbers a small gradient has, the less it says.
BOOST_FIXTURE_TEST_CASE(gradients_point_where_those_of_float_do, mixed_bench) {
  for (const std::string fusion : {"gated", "channel", "cross_modal", "early"}) {
    BOOST_TEST_CONTEXT(fusion) {
      const auto plain = make(options("fp32", fusion)), mixed = make(options("bf16", fusion));
      const auto expected = gradients_of(plain, loss(plain.forward(in, present), in));
      const auto found = gradients_of(mixed, loss(mixed.forward(in, present), in));
      BOOST_TEST(cosine(found, expected) > 0.985);
      BOOST_TEST(std::fabs(norm(found) / norm(expected) - 1) < 0.03);
      int compared = 0;
      for (std::size_t i = 0; i < plain.parameters().all().size(); ++i) {
        const auto &p = plain.parameters().all()[i], &q = mixed.parameters().all()[i];
        BOOST_REQUIRE((static_cast<bool>(p.value.grad()) == static_cast<bool>(q.value.grad())));
        if (!p.value.grad()) continue;
        const auto a = gradient(p.value), b = gradient(q.value);
        if (norm(a) < 2e-2 * norm(expected)) continue;
        const bool last = p.name.find("head") != std::string::npos;
        BOOST_TEST(cosine(a, b) > (last ? 0.999 : 0.95),
                   p.name << ": " << cosine(a, b) << ", norm " << norm(a) << " of " << norm(expected));
        ++compared;
      }
      BOOST_TEST(compared >= 8);
      BOOST_TEST(home.size() == 0u);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(two_forward_passes_in_one_step_add_up, mixed_bench) {
  const auto net = make(options("bf16"));
  const std::vector<variable<single>> other{constant({1, 8, 16, 16, 1}, 50), constant({1, 8, 16, 16, 1}, 51)};
  const presence<single> there(home, 1, 2, {1, 1});
  const auto first = gradients_of(net, loss(net.forward(in, present), in)),
             second = gradients_of(net, loss(net.forward(other, there), other));
  const auto a = loss(net.forward(in, present), in), b = loss(net.forward(other, there), other);
  const auto both = gradients_of(net, add(a, b));
  std::vector<float> expected;
  for (std::size_t i = 0; i < first.size(); ++i) expected.push_back(first[i] + second[i]);
  BOOST_TEST((both == expected));
  BOOST_TEST(difference(both, first) > 1e-2);
}

BOOST_FIXTURE_TEST_CASE(gradients_add_up_over_backward_passes, mixed_bench) {
  const auto net = make(options("bf16"));
  const auto once = gradients_of(net, loss(net.forward(in, present), in));
  home.backward(loss(net.forward(in, present), in));
  const auto twice = all_gradients(net.parameters());
  for (std::size_t i = 0; i < once.size(); ++i) BOOST_REQUIRE_EQUAL(twice[i], 2 * once[i]);
}

BOOST_FIXTURE_TEST_CASE(a_forward_pass_without_gradients_in_between_changes_nothing, mixed_bench) {
  const auto net = make(options("bf16"));
  const auto expected = gradients_of(net, loss(net.forward(in, present), in));
  const auto value = loss(net.forward(in, present), in);
  {
    const no_grad_scope<single> quiet(home);
    const auto other = net.forward(in, present);
    BOOST_TEST(!other.fused.requires_grad());
  }
  BOOST_TEST((gradients_of(net, value) == expected));
}

BOOST_FIXTURE_TEST_CASE(a_change_of_the_masters_between_a_forward_pass_and_its_backward_pass_is_refused, mixed_bench) {
  const auto net = make(options("bf16"));
  const auto expected = gradients_of(net, loss(net.forward(in, present), in));
  const auto before = all_values(net.parameters());
  const auto value = loss(net.forward(in, present), in);
  change(net.parameters(), "", [](const std::string&, std::vector<float>& v) {
    for (float& x : v) x = 1.5f * x + 0.1f;
  });
  for (const bool between : {false, true}) {  // the copies follow in the next forward pass
    const auto refused = between ? loss(net.forward(in, present), in) : value;
    if (between) {
      const no_grad_scope<single> quiet(home);
      change(net.parameters(), "", [](const std::string&, std::vector<float>& v) { v[0] += 1; });
      (void)net.forward(in, present);
    }
    BOOST_CHECK_EXCEPTION(home.backward(refused), error, says("parameters changed after the forward pass"));
    net.parameters().zero_grad();
  }
  std::size_t at = 0;
  change(net.parameters(), "", [&](const std::string&, std::vector<float>& v) {
    for (float& x : v) x = before[at++];
  });
  BOOST_TEST((gradients_of(net, loss(net.forward(in, present), in)) == expected));
}

BOOST_FIXTURE_TEST_CASE(an_update_of_the_masters_shows_in_the_next_forward_pass, mixed_bench) {
  const auto net = make(options("bf16"));
  const auto before = host(net.forward(in, present).fused);
  change(net.parameters(), "decoder.0.head.bias", [](const std::string&, std::vector<float>& v) { v[0] += 1; });
  const auto after = host(net.forward(in, present).fused);
  BOOST_TEST(std::fabs(after[0] - before[0] - 1) < 0.02);
}

BOOST_FIXTURE_TEST_CASE(checkpointed_stages_compute_the_same_but_for_the_order_of_sums, mixed_bench) {
  auto o = options("bf16");
  const auto plain = make(o);
  o.checkpointed = 2;
  const auto spared = make(o);
  const auto a = plain.forward(in, present);
  const auto expected = gradients_of(plain, loss(a, in));
  const auto b = spared.forward(in, present);
  const auto found = gradients_of(spared, loss(b, in));
  BOOST_TEST((host(a.fused) == host(b.fused)));
  BOOST_TEST(cosine(found, expected) > 0.9999);
  BOOST_TEST(difference(found, expected) <
             0x1p-6);  // gradients that meet are added in another order, each sum rounded to bfloat16
}

BOOST_FIXTURE_TEST_CASE(what_stands_in_an_absent_modality_changes_nothing, mixed_bench) {
  const auto net = make(options("bf16"));
  const auto expected = host(net.forward(in, present).fused);
  auto v = host(in[1]);
  std::fill(v.begin() + 8 * 16 * 16, v.end(), std::numeric_limits<float>::quiet_NaN());
  BOOST_TEST((host(net.forward({in[0], constant(in[1].shape(), v)}, present).fused) == expected));
}

BOOST_FIXTURE_TEST_CASE(the_same_bytes_at_1_to_4_threads, mixed_bench) {
  const int before = omp_get_max_threads();
  const auto net = make(options("bf16"));
  const auto run = [&](int threads) {
    omp_set_num_threads(threads);
    const auto out = net.forward(in, present);
    const auto logits = host(out.fused);
    return std::pair{logits, gradients_of(net, loss(out, in))};
  };
  const auto expected = run(1);
  for (const int threads : {2, 3, 4}) BOOST_TEST((run(threads) == expected), threads << " threads");
  omp_set_num_threads(before);
}

BOOST_FIXTURE_TEST_CASE(convolutions_of_the_inner_network_are_counted_by_the_outer_context, mixed_bench) {
  const auto net = make(options("bf16"));
  (void)net.forward(in, present);
  index all = 0;
  for (const auto& [what, count] : ctx.runs()) all += what.first == "conv3d.forward" ? count : 0;
  BOOST_TEST(all >= 10);
}

BOOST_FIXTURE_TEST_CASE(an_unknown_precision_is_refused, mixed_bench) {
  BOOST_CHECK_EXCEPTION((void)make(options("bf61")), config_error,
                        says("model.precision: 'bf61', expected fp32, tf32 or bf16"));
  bench in_double;
  BOOST_CHECK_EXCEPTION((void)make_network<bench::backend>(in_double.home, options("bf16"), 2, classes, 3),
                        config_error, says("comodal::mixed_backend"));
}

BOOST_FIXTURE_TEST_CASE(gradients_of_images_leave_masters_and_copies_alone, mixed_bench) {
  auto o = options("bf16");
  o.dropout = 0.2;
  const auto net = make(o);
  net.parameters().zero_grad();
  auto images = in;
  for (auto& image : images) image = home.leaf(image.value());
  const forward_request request{network_outputs::all, forward_mode::train, {1, 2, 3}};
  const auto found = comodal::gradients_of(loss(net.forward(images, present, request), in), images);
  BOOST_TEST(largest(host(found[0])) > 1e-6);
  for (const auto& one : net.parameters().all()) BOOST_TEST(!one.value.grad(), one.name);
  // The same masks again, and now the parameters have gradients.
  const auto value = loss(net.forward(images, present, request), in);
  BOOST_TEST(largest(gradients_of(net, value)) > 1e-3);
}

}  // namespace comodal::tests
