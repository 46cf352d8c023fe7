// SPDX-License-Identifier: Apache-2.0
// The whole network: absent modalities, order of modalities, enhancement, subsets, and where fusion happens.
#define BOOST_TEST_MODULE model_network
#include <boost/test/unit_test.hpp>

#include <comodal/autograd/check_gradient.hpp>

#include <model/support.hpp>

#include <set>

namespace comodal::tests {

using B = bench::backend;
// A decoder that has what is asked for and no more.
template <tensor_backend Backend>
struct mapless_decoder {
  mapless_decoder(const parameter_scope<Backend>& scope, const decoder_sizes& sizes) : inner(scope, sizes) {}
  [[nodiscard]] std::vector<variable<Backend>> decode(const std::vector<variable<Backend>>& maps,
                                                      const forward_request& request) const {
    return inner.decode(maps, request);
  }
  unet_decoder<Backend> inner;
};
static_assert(decoder<mapless_decoder<B>, B> && !decodes_with_map<mapless_decoder<B>, B>);
static_assert(decodes_with_map<unet_decoder<B>, B>);

const std::vector<std::string> fusions{"mean", "concat", "gated", "channel", "cross_modal"};

BOOST_FIXTURE_TEST_CASE(what_stands_in_an_absent_modality_changes_nothing, network_bench) {
  for (const std::string& fusion : fusions) {
    BOOST_TEST_CONTEXT(fusion) {
      const auto net = make(tiny_options(fusion), 3);
      open_gates(net);
      const auto p = present({{1, 0, 1}, {1, 1, 0}});
      const double nan = std::numeric_limits<double>::quiet_NaN();
      auto filled = volumes(2, 3);
      const auto spoil = [&](std::size_t m, index n) {
        auto v = host(filled[m]);
        std::fill_n(v.begin() + n * 32, 32, nan);
        filled[m] = constant(filled[m].shape(), v);
      };
      const auto in = filled;
      const auto there = host(p.mask());
      spoil(1, 0);
      spoil(2, 1);

      const auto clean = net.forward(in, p), spoilt = net.forward(filled, p);
      BOOST_TEST((host(clean.fused) == host(spoilt.fused)));
      for (std::size_t s = 0; s < 2; ++s) BOOST_TEST((host(clean.features[s]) == host(spoilt.features[s])));
      for (index m = 0; m < 3; ++m)
        for (index n = 0; n < 2; ++n)
          if (there[static_cast<std::size_t>(3 * n + m)] == 1)
            BOOST_TEST((sample(clean.branches[static_cast<std::size_t>(m)], n) ==
                        sample(spoilt.branches[static_cast<std::size_t>(m)], n)));

      home.backward(loss(clean, p));
      const auto expected = all_gradients(net.parameters());
      net.parameters().zero_grad();
      home.backward(loss(net.forward(filled, p), p));
      BOOST_TEST((all_gradients(net.parameters()) == expected));
      BOOST_TEST(std::isfinite(largest(expected)));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(an_absent_modality_learns_nothing, network_bench) {
  for (const std::string& fusion : fusions) {
    BOOST_TEST_CONTEXT(fusion) {
      const auto net = make(tiny_options(fusion), 3);
      open_gates(net);
      const auto p = present({{1, 0, 1}, {1, 0, 0}});
      home.backward(loss(net.forward(volumes(2, 3), p), p));
      int own = 0;
      for (const auto& one : net.parameters().all()) {
        const auto g = gradient(one.value);
        if (one.name.starts_with("stream.1.") || one.name.starts_with("branch.1.") ||
            one.name.find(".enhance.1.") != std::string::npos ||
            one.name.find(".enhance_gate.1.") != std::string::npos || one.name.find(".align.1.") != std::string::npos ||
            one.name.find(".gate.1.") != std::string::npos) {
          BOOST_TEST(largest(g) == 0, one.name);
          ++own;
        } else if (one.name.starts_with("stream.0.") && one.name.ends_with("weight")) {
          BOOST_TEST(largest(g) > 0, one.name);
        }
      }
      BOOST_TEST(own >= 20);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(the_order_of_modalities_does_not_matter, network_bench) {
  for (const std::string& fusion : fusions) {
    BOOST_TEST_CONTEXT(fusion) {
      const auto net = make(tiny_options(fusion), 3), other = make(tiny_options(fusion), 3, 2);
      open_gates(net);
      const std::vector<int> order{2, 0, 1};
      safetensors_file file;
      save_parameters(net.parameters(), "", file);
      const auto moved = permuted(file, order);
      BOOST_TEST(moved.arrays.size() == file.arrays.size());
      load_parameters(other.parameters(), "", moved);

      const std::vector<std::vector<float>> rows{{1, 0, 1}, {1, 1, 1}};
      auto rows_moved = rows;
      const auto in = volumes(2, 3);
      network_bench::variables in_moved(3);
      for (std::size_t m = 0; m < 3; ++m) {
        in_moved[m] = in[static_cast<std::size_t>(order[m])];
        for (std::size_t n = 0; n < 2; ++n) rows_moved[n][m] = rows[n][static_cast<std::size_t>(order[m])];
      }
      const auto a = net.forward(in, present(rows)), b = other.forward(in_moved, present(rows_moved));
      BOOST_TEST(difference(host(b.fused), host(a.fused)) < 1e-9);
      for (std::size_t m = 0; m < 3; ++m) {
        const auto was = static_cast<std::size_t>(order[m]);
        for (index n = 0; n < 2; ++n)
          if (rows_moved[static_cast<std::size_t>(n)][m] == 1)
            BOOST_TEST(difference(sample(b.branches[m], n), sample(a.branches[was], n)) < 1e-9);
      }
      BOOST_TEST(difference(host(b.branches[0]), host(a.branches[0])) > 1e-2);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(closed_gates_are_independent_streams, network_bench) {
  auto separate = tiny_options();
  separate.enhance = false;
  const auto net = make(tiny_options(), 3), streams = make(separate, 3);
  const auto in = volumes(2, 3);
  const auto all = present({{1, 1, 1}, {1, 1, 1}});
  const auto closed = net.forward(in, all), independent = streams.forward(in, all);
  BOOST_TEST((host(closed.fused) == host(independent.fused)));
  for (index m = 0; m < 3; ++m) {
    const auto k = static_cast<std::size_t>(m);
    BOOST_TEST((host(closed.branches[k]) == host(independent.branches[k])));
    // A branch is the same when the other modalities are not there at all.
    std::vector<float> only(3, 0);
    only[k] = 1;
    BOOST_TEST((host(net.forward(in, present({only, only})).branches[k]) == host(closed.branches[k])));
  }
  open_gates(net);
  const auto open = net.forward(in, all);
  for (std::size_t m = 0; m < 3; ++m) BOOST_TEST(difference(host(open.branches[m]), host(closed.branches[m])) > 1e-3);
}

BOOST_FIXTURE_TEST_CASE(any_subset_of_2_3_or_4_modalities, network_bench) {
  for (const std::string& fusion : fusions) {
    BOOST_TEST_CONTEXT(fusion) {
      for (const index modalities : {2, 3, 4}) {
        const auto net = make(tiny_options(fusion), modalities);
        open_gates(net);
        const auto rows = subsets(modalities);
        const auto samples = static_cast<index>(rows.size());
        const auto in = volumes(samples, modalities);
        const auto out = net.forward(in, present(rows));
        BOOST_TEST((out.fused.shape() == shape{samples, 2, 4, 4, classes}));
        BOOST_TEST(out.branches.size() == rows[0].size());
        BOOST_TEST(std::isfinite(largest(host(out.fused))));
        for (index n = 0; n < samples; ++n) {
          network_bench::variables one;
          for (const auto& v : in) one.push_back(slice(v, 0, n, n + 1));
          const auto alone = net.forward(one, present({rows[static_cast<std::size_t>(n)]}));
          BOOST_TEST(difference(host(alone.fused), sample(out.fused, n)) < 1e-9);
          for (std::size_t m = 0; m < rows[0].size(); ++m)
            if (rows[static_cast<std::size_t>(n)][m] == 1)
              BOOST_TEST(difference(host(alone.branches[m]), sample(out.branches[m], n)) < 1e-9);
        }
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(fusion_at_any_chosen_stages, network_bench) {
  auto o = tiny_options();
  o.stream_channels = {2, 2, 3};
  o.fused_channels = {2, 3, 4};
  o.strides = {{2, 2, 1}, {2, 2, 1}};
  const auto in = volumes(1, 2, {2, 8, 8});
  const auto p = present({{1, 1}});
  for (const std::vector<index>& stages : std::vector<std::vector<index>>{{}, {1}, {2}, {3}, {1, 3}, {1, 2, 3}}) {
    o.fusion_stages = stages;
    const auto net = make(o, 2);
    for (index s = 1; s <= 3; ++s) {
      const bool chosen = stages.empty() || std::find(stages.begin(), stages.end(), s) != stages.end();
      const std::string prefix = text("fusion.", s - 1, ".");
      int gates = 0, enhancing = 0, joins = 0, aligns = 0;
      for (const auto& one : net.parameters().all()) {
        if (!one.name.starts_with(prefix)) continue;
        const auto rest = one.name.substr(prefix.size());
        gates += rest.starts_with("gate.");
        enhancing += rest.starts_with("enhance");
        joins += rest.starts_with("join.");
        aligns += rest.starts_with("align.");
      }
      BOOST_TEST((gates > 0) == chosen);
      BOOST_TEST((enhancing > 0) == chosen);
      BOOST_TEST((joins > 0) == (s > 1));
      BOOST_TEST(aligns == 2);
    }
    open_gates(net);
    const auto out = net.forward(in, p);
    BOOST_TEST((out.fused.shape() == shape{1, 2, 8, 8, classes}));
    BOOST_TEST((out.features[2].shape() == shape{1, 2, 2, 2, 4}));
    BOOST_TEST(std::isfinite(largest(host(out.fused))));
  }
}

BOOST_FIXTURE_TEST_CASE(streams_come_where_they_are_asked_for, network_bench) {
  const auto net = make(tiny_options(), 2);
  open_gates(net);
  const auto in = volumes(1, 2);
  const auto p = present({{1, 1}});
  const auto out = net.forward(in, p, network_outputs::all);
  BOOST_TEST_REQUIRE(out.streams.size() == 2u);
  for (const auto& stage : out.streams) BOOST_TEST_REQUIRE(stage.size() == 2u);
  BOOST_TEST((out.streams[0][1].shape() == shape{1, 2, 4, 4, 2}));
  BOOST_TEST((out.streams[1][0].shape() == shape{1, 2, 2, 2, 3}));
  // They are what the branches decode: a change of the other modality reaches them through fusion.
  auto other = in;
  other[1] = scale(other[1], 2);
  BOOST_TEST((host(net.forward(other, p, network_outputs::all).streams[1][0]) != host(out.streams[1][0])));
  BOOST_TEST(net.forward(in, p, network_outputs::logits).streams.empty());
  auto o = tiny_options();
  o.branches = false;
  BOOST_TEST(make(o, 2).forward(in, p, network_outputs::all).streams.empty());
}

BOOST_FIXTURE_TEST_CASE(fused_only_is_the_same_fused_output, network_bench) {
  const auto net = make(tiny_options(), 2);
  open_gates(net);
  const auto in = volumes(1, 2);
  const auto p = present({{1, 1}});
  const auto all = net.forward(in, p), fused = net.forward(in, p, network_outputs::fused_only);
  BOOST_TEST((host(all.fused) == host(fused.fused)));
  BOOST_TEST(all.branches.size() == 2u);
  BOOST_TEST(fused.branches.empty());
  auto o = tiny_options();
  o.branches = false;
  BOOST_TEST(make(o, 2).forward(in, p).branches.empty());
}

BOOST_FIXTURE_TEST_CASE(inputs_that_do_not_fit_are_refused, network_bench) {
  const auto net = make(tiny_options(), 2);
  const auto p = present({{1, 1}});
  BOOST_CHECK_EXCEPTION((void)net.forward(volumes(1, 3), p), shape_error, says("3 volumes"));
  BOOST_CHECK_THROW((void)net.forward(volumes(1, 2), present({{1, 1, 1}})), shape_error);
  auto uneven = volumes(1, 2);
  uneven[1] = volumes(1, 1, {2, 4, 2})[0];
  BOOST_CHECK_THROW((void)net.forward(uneven, p), shape_error);
  BOOST_CHECK_THROW((void)net.forward(volumes(2, 2), p), shape_error);
}

BOOST_FIXTURE_TEST_CASE(decoders_that_up_sample_otherwise_are_chosen_by_name, network_bench) {
  for (const std::string fusion : {"gated", "early"}) {
    std::vector<std::vector<double>> seen;
    for (const std::string decoder : {"unet", "unet_trilinear", "unet_nearest"}) {
      auto o = tiny_options(fusion);
      o.decoder = decoder;
      const auto net = make(o, 2);
      const auto p = present({{1, 1}, {1, 0}});
      const auto out = net.forward(volumes(2, 2), p);
      BOOST_TEST((out.fused.shape() == shape{2, 2, 4, 4, classes}));
      seen.push_back(host(out.fused));
      variables parameters;
      for (const auto& one : net.parameters().all()) parameters.push_back(one.value);
      const auto in = volumes(2, 2);
      const auto report =
          check_gradient<B>([&](const auto&) { return loss(net.forward(in, p), p); }, parameters, 1e-6, 2);
      BOOST_TEST(report.passed(2e-5), decoder << ": " << report.worst << " at " << report.place);
    }
    BOOST_TEST((seen[0] != seen[1]));
    BOOST_TEST((seen[1] != seen[2]));
  }
}

struct heads_bench : network_bench {
  const std::vector<network_head> wanted{{"second", "unet_nearest"}, {"distance", "", 5}};
  [[nodiscard]] network with_heads(const network_options& o) {
    return make_network<B>(home, o, 2, classes, 1, network_registry<B>::built_in(), wanted);
  }
};

BOOST_FIXTURE_TEST_CASE(further_outputs_leave_the_network_as_it_is, heads_bench) {
  for (const std::string fusion : {"gated", "early"}) {
    BOOST_TEST_CONTEXT(fusion) {
      auto o = tiny_options(fusion);
      o.deep_supervision = true;
      const auto plain = make(o, 2), more = with_heads(o);
      const auto p = present({{1, 1}, {0, 1}});
      const auto in = volumes(2, 2);
      const auto usual = plain.forward(in, p), out = more.forward(in, p, network_outputs::logits);
      BOOST_TEST(usual.heads.empty());
      BOOST_TEST((host(out.fused) == host(usual.fused)));
      BOOST_TEST(out.deep.size() == usual.deep.size());
      BOOST_TEST(out.heads.size() == 2u);
      BOOST_TEST((out.heads.at("second").shape() == shape{2, 2, 4, 4, classes}));
      BOOST_TEST((out.heads.at("distance").shape() == shape{2, 2, 4, 4, 5}));
      BOOST_TEST((host(out.heads.at("second")) != host(out.fused)));
      // To predict, they are neither computed nor needed: their parameters are left in the file.
      BOOST_TEST(more.forward(in, p, network_outputs::fused_only).heads.empty());
      safetensors_file file;
      change(more.parameters(), "", [](const auto&, auto& v) {
        for (double& x : v) x += 0.01;
      });
      save_parameters(more.parameters(), "ema/", file);
      load_parameters(plain.parameters(), "ema/", file);
      BOOST_TEST((host(plain.forward(in, p).fused) == host(more.forward(in, p, network_outputs::fused_only).fused)));

      const auto heads = more.forward(in, p, network_outputs::logits).heads;
      home.backward(sum(heads.at("second") * heads.at("second")) + sum(heads.at("distance") * heads.at("distance")));
      const std::set<std::string> none{"decoder.0.head.weight", "decoder.0.head.bias"};
      int reached = 0;
      for (const auto& one : more.parameters().all()) {
        if (!one.name.starts_with("heads.") && !one.name.starts_with("decoder.")) continue;
        BOOST_TEST((static_cast<bool>(one.value.grad()) != none.contains(one.name)), one.name);
        reached += one.name.starts_with("heads.");
      }
      BOOST_TEST(reached == 12);  // a decoder of two stages, and a convolution with bias
    }
  }
}

BOOST_FIXTURE_TEST_CASE(further_outputs_that_cannot_be_made_are_refused, heads_bench) {
  const std::vector<network_head> unknown{{"second", "unet_linear", 0, "method.mine.decoders"}};
  BOOST_CHECK_EXCEPTION(
      (void)make_network<B>(home, tiny_options(), 2, classes, 1, network_registry<B>::built_in(), unknown),
      config_error, says("method.mine.decoders = 'unet_linear': this program has no decoder of that name"));
  auto names = network_registry<B>::built_in();
  names.decoder<generic<mapless_decoder>>("mapless");
  auto o = tiny_options();
  o.decoder = "mapless";
  BOOST_TEST(make_network<B>(home, o, 2, classes, 1, names).modalities() == 2);
  BOOST_CHECK_EXCEPTION((void)make_network<B>(home, o, 2, classes, 1, names, wanted), config_error,
                        says("model.decoder = 'mapless': it hands out no map for the further output 'distance'"));
}

}  // namespace comodal::tests
