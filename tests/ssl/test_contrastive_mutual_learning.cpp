// SPDX-License-Identifier: Apache-2.0
// Contrastive mutual learning: every unlabelled term, box mixes, empty targets and predictions, negatives, options.
#define BOOST_TEST_MODULE ssl_contrastive_mutual_learning
#include <boost/test/unit_test.hpp>

#include <ssl/support.hpp>

namespace comodal::tests {

using B = kokkos_backend<default_space, double>;

using options = contrastive_mutual_learning_options;

struct mutual : method_bench<B> {
  static options base() {
    options o;
    o.ramp = 0;
    o.pool = 2;
    o.consensus = 0;
    o.contrast = 0;
    return o;
  }
  [[nodiscard]] any_method<B> make(const options& o, std::uint64_t seed = 1,
                                   const network_options& n = tiny_network()) {
    return method_bench<B>::make(named_options(o), seed, n);
  }
  // Gradient and value of the term `name`, which `on` has and `off` has not.
  struct term {
    double value;
    std::vector<double> gradient;
    double length = 0;
  };
  term own(const std::string& name, const options& on, const options& off, const step_batch& batch) {
    auto with = make(on), without = make(off);
    term t{step(with, batch).at(name), {}};
    (void)step(without, batch);
    t.gradient = all_gradients(student(with));
    const auto rest = all_gradients(student(without));
    for (std::size_t i = 0; i < rest.size(); ++i) {
      t.gradient[i] -= rest[i];
      t.length += t.gradient[i] * t.gradient[i];
    }
    t.length = std::sqrt(t.length);
    return t;
  }
  // The term after the student took a step of this length against its gradient.
  double after(const std::string& name, const options& on, const term& t, const step_batch& batch, double length) {
    auto method = make(on);
    std::size_t at = 0;
    change(student(method), "", [&](const auto&, auto& v) {
      for (double& x : v) x -= length * t.gradient[at++] / t.length;
    });
    return step(method, batch).at(name);
  }
  // Makes a network certain of the background, by the biases of its heads.
  static void only_background(const parameter_store<B>& store, double sure) {
    BOOST_TEST(change(store, "head.bias", [&](const auto&, auto& v) { v[0] += sure; }) == 3);
  }
};

BOOST_FIXTURE_TEST_CASE(every_term_has_a_gradient_along_which_it_falls, mutual) {
  const auto batch = tiny_batch(0, true);
  const auto check = [&](const std::string& what, const std::string& name, const options& on, const options& off,
                         double factor) {
    BOOST_TEST_CONTEXT(what) {
      const auto t = own(name, on, off, batch);
      BOOST_TEST(t.value > 0);
      BOOST_TEST(t.length > 1e-5);
      const double fallen = t.value - after(name, on, t, batch, 1e-5);
      BOOST_TEST(fallen > 0);
      // Where the partner does not move, by as much as the gradient says.
      if (factor > 0) BOOST_TEST(fallen == 1e-5 * t.length / factor, boost::test_tools::tolerance(0.05));
    }
  };
  auto on = base();
  on.consensus = 0.5;
  check("consensus", "consensus", on, base(), 0.5);
  on.confidence = "threshold";
  on.threshold = 0.4;
  check("consensus by threshold", "consensus", on, base(), 0.5);
  on = base();
  on.target = "cps";
  auto off = on;
  on.consensus = 0.5;
  check("cross pseudo supervision", "consensus", on, off, 0.5);
  on = base();
  on.consensus = off.consensus = 0.5;
  off = on;
  on.agreement = "mse";
  check("agreement", "agreement", on, off, 0);
  for (const std::string similarity : {"soft_dice", "cosine", "iou"}) {
    on = base();
    on.contrast = 0.1;
    on.similarity = similarity;
    check("contrast by " + similarity, "contrast", on, base(), 0);
  }
}

// Who differs and who is surer are constants of the term: it need not fall, but it pulls.
BOOST_FIXTURE_TEST_CASE(disagreement_reaches_the_branches, mutual) {
  auto on = base(), off = base();
  on.agreement = "disagreement";
  on.counted_voxels = off.counted_voxels = 1;
  const auto t = own("disagreement", on, off, tiny_batch(0, true));
  BOOST_TEST(t.value > 0);
  BOOST_TEST(t.length > 1e-5);
  on.disagree = 1;
  BOOST_TEST(own("disagreement", on, off, tiny_batch(0, true)).length == 2 * t.length,
             boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(branches_that_agree_have_no_agreement_loss, mutual) {
  for (const auto& [agreement, term] :
       std::vector<std::pair<std::string, std::string>>{{"mse", "agreement"}, {"disagreement", "disagreement"}}) {
    auto o = base();
    o.consensus = 0.5;
    o.counted_voxels = 1;
    o.agreement = agreement;
    auto network = tiny_network();
    network.shared_encoder = true;
    auto method = make(o, 1, network);
    auto batch = tiny_batch(0);
    const auto apart = step(method, batch);
    BOOST_TEST(apart.at(term) > 1e-3);
    // Both branches with the same weights and the same image.
    change(student(method), "branch.1.",
           [&](const std::string& name, auto& v) { v = host(find(student(method), "branch.0." + name.substr(9))); });
    batch.strong.images[1] = batch.strong.images[0];
    const auto together = step(method, batch);
    BOOST_TEST(std::fabs(together.at(term)) < 1e-20);
  }
}

// The consensus by its formula, from the student's predictions and given targets and weights.
struct consensus_bench : mutual {
  double consensus(const any_method<B>& method, const step_batch& batch, const variable<B>& y, const variable<B>& w,
                   const variable<B>& counts) {
    const network_input<B> input(home, {&batch.strong});
    const auto out = method.predict(input.volumes, input.present, network_outputs::all, "student");
    const dice_cross_entropy compare;
    double total = 0;
    for (const double v : host(compare(out.fused, y, w, counts))) total += v / 2;
    for (const auto& z : out.branches)
      for (const double v : host(compare(z, y, w, counts))) total += 0.5 * v / 4;
    return total;
  }
};

BOOST_FIXTURE_TEST_CASE(the_consensus_by_its_formula, consensus_bench) {
  auto o = base();
  o.consensus = 0.5;
  const auto batch = tiny_batch(0);
  auto method = make(o);
  const double found = step(method, batch).at("consensus");
  // Targets of the teacher on the weak view: sharpened, weighed by confidence.
  const network_input<B> weak(home, {&batch.weak});
  const auto q = softmax(method.predict(weak.volumes, weak.present, network_outputs::fused_only, "ema").fused, -1);
  const auto squares = multiply(q, q);
  const auto y = divide(squares, sum(squares, {4})), u = scale(shift(max(q, 4), -1.0 / 3), 1.5);
  const auto counts = counting_classes(y, constant({2, 1}, std::vector<double>(2, 0)), 32);
  BOOST_TEST(found == consensus(method, batch, y, reshape(u, {2, 4, 8, 8}), counts),
             boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(known_voxels_take_their_true_label_with_weight_1, consensus_bench) {
  auto o = base();
  o.consensus = 0.5;
  auto batch = tiny_batch(0, true);
  std::fill(batch.strong.known.begin(), batch.strong.known.end(), std::uint8_t{1});
  auto method = make(o);
  const double found = step(method, batch).at("consensus");
  const auto y = home.constant(one_hot(ctx, target_map::of_classes(tiny_classes), batch.strong));
  const auto counts = counting_classes(y, constant({2, 1}, std::vector<double>(2, 0)), 32);
  BOOST_TEST(found == consensus(method, batch, y, {}, counts), boost::test_tools::tolerance(1e-9));
  // Whatever the teacher says.
  auto other = make(o);
  change(average(other), "head", [](const auto&, auto& v) {
    for (double& x : v) x *= -3;
  });
  BOOST_TEST(step(other, batch).at("consensus") == found);
}

BOOST_FIXTURE_TEST_CASE(labels_count_where_they_are_known_alone, mutual) {
  auto o = base();
  o.consensus = 0.5;
  auto batch = tiny_batch(0, true);
  auto method = make(o);
  const double found = step(method, batch).at("consensus");
  auto other = batch;
  for (std::size_t i = 0; i < other.strong.labels.size(); ++i)
    if (!other.strong.known[i]) other.strong.labels[i] = 1;
  BOOST_TEST(step(method, other).at("consensus") == found);
  other = batch;
  for (std::size_t i = 0; i < other.strong.labels.size(); ++i)
    if (other.strong.known[i]) other.strong.labels[i] = 1;
  BOOST_TEST(step(method, other).at("consensus") != found);
}

BOOST_FIXTURE_TEST_CASE(a_target_of_background_keeps_cross_entropy_alone, consensus_bench) {
  auto o = base();
  o.consensus = 0.5;
  o.contrast = 0.1;
  const auto batch = tiny_batch(0);
  auto method = make(o);
  only_background(average(method), 40);
  const auto found = step(method, batch);
  std::vector<double> y;
  for (index i = 0; i < 2 * 256; ++i) y.insert(y.end(), {1, 0, 0});
  const double expected =
      consensus(method, batch, constant({2, 4, 8, 8, 3}, y), {}, constant({2, 3}, std::vector<double>(6, 0)));
  BOOST_TEST(found.at("consensus") == expected, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(found.at("contrast") == 0);
  BOOST_TEST(std::isfinite(largest(all_gradients(student(method)))));
}

BOOST_FIXTURE_TEST_CASE(an_empty_student_learns_from_a_lesion, mutual) {
  auto o = base();
  o.consensus = 0.5;
  auto batch = tiny_batch(0, true);
  std::fill(batch.strong.known.begin(), batch.strong.known.end(), std::uint8_t{1});
  // No lesion in the labelled crops, so that nothing else can teach it.
  std::fill(batch.labelled.labels.begin(), batch.labelled.labels.end(), std::uint8_t{0});
  auto method = make(o);
  only_background(student(method), 25);
  (void)step(method, batch);
  const auto bias = gradient(find(student(method), "decoder.0.head.bias"));
  BOOST_TEST(bias[0] > 0.01);
  BOOST_TEST(bias[1] < -0.01);
  BOOST_TEST(bias[2] < -0.01);
  BOOST_TEST(std::isfinite(largest(all_gradients(student(method)))));
}

BOOST_FIXTURE_TEST_CASE(the_contrast_by_its_formula, mutual) {
  auto o = base();
  o.contrast = 0.1;
  const auto batch = tiny_batch(0);
  auto method = make(o);
  safetensors_file state;
  method.save(state);
  state.arrays["reliability"] = named_array::of(shape{3}, std::vector<double>{0.5, 0.45, 0.52});
  method.load(state);

  // Foreground probabilities averaged over blocks of 2 x 2 x 2 voxels: [crop][class][block]; and the mass of sharpened
  // probabilities.
  using maps = std::vector<std::vector<std::vector<double>>>;
  const auto coarse = [](const std::vector<double>& p) {
    maps h(2, {2, std::vector<double>(2 * 4 * 4)});
    for (int b = 0; b < 2; ++b)
      for (int d = 0; d < 4; ++d)
        for (int y = 0; y < 8; ++y)
          for (int x = 0; x < 8; ++x)
            for (int c = 1; c < 3; ++c)
              h[b][c - 1][(d / 2 * 4 + y / 2) * 4 + x / 2] += p[(((b * 4 + d) * 8 + y) * 8 + x) * 3 + c] / 8;
    return h;
  };
  const network_input<B> weak(home, {&batch.weak}), strong(home, {&batch.strong});
  const auto q =
      host(softmax(method.predict(weak.volumes, weak.present, network_outputs::fused_only, "ema").fused, -1));
  const auto branches = method.predict(strong.volumes, strong.present, network_outputs::all, "student").branches;
  const maps teacher = coarse(q),
             h[2] = {coarse(host(softmax(branches[0], -1))), coarse(host(softmax(branches[1], -1)))};
  double mass[2][2] = {};
  for (std::size_t v = 0; v < q.size(); v += 3) {
    const double squares = q[v] * q[v] + q[v + 1] * q[v + 1] + q[v + 2] * q[v + 2];
    for (int c = 1; c < 3; ++c) mass[v / (256 * 3)][c - 1] += q[v + c] * q[v + c] / squares;
  }
  const auto alike = [](const std::vector<double>& a, const std::vector<double>& b) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return (2 * ab + 1e-6) / (aa + bb + 1e-6);
  };
  // rho of the branches: 0.45 and 0.52. The first learns from the second by 0.5 + 0.07 / 0.2, the second from the first
  // by 0.5 - 0.07 / 0.2.
  double expected = 0;
  int counting = 0;
  for (int b = 0; b < 2; ++b)
    for (int m = 0; m < 2; ++m) {
      double sum = 0, classes = 0;
      for (int c = 0; c < 2; ++c) {
        if (mass[b][c] < 32) continue;
        ++classes, ++counting;
        const double partner = alike(h[m][b][c], h[1 - m][b][c]), other = alike(h[m][b][c], teacher[1 - b][c]);
        if (mass[1 - b][c] >= 32) sum += 0.1 * std::log(1 + std::exp((other - partner) / 0.1));
      }
      expected += (m == 0 ? 0.85 : 0.15) * sum / std::max(1.0, classes) / 4;
    }
  BOOST_TEST(counting > 0);
  BOOST_TEST(expected > 1e-3);
  BOOST_TEST(step(method, batch).at("contrast") == expected, boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(a_case_is_never_its_own_negative, mutual) {
  auto o = base();
  o.contrast = 0.1;
  auto method = make(o);
  auto batch = tiny_batch(0);
  batch.weak.cases = batch.strong.cases = {7, 7};
  BOOST_TEST(step(method, batch).at("contrast") == 0);
  // Now the queue holds case 7 twice: still no negative for it, but one for case 8.
  BOOST_TEST(step(method, batch).at("contrast") == 0);
  batch.weak.cases = batch.strong.cases = {8, 8};
  BOOST_TEST(step(method, batch).at("contrast") > 0);
}

BOOST_FIXTURE_TEST_CASE(the_queue_holds_the_last_maps, mutual) {
  auto o = base();
  o.contrast = 0.1;
  o.queue = 5;
  auto method = make(o);
  for (std::uint32_t t = 0; t < 4; ++t) (void)step(method, tiny_batch(t), {t, 10});
  safetensors_file file;
  method.save(file);
  const auto cases = file.arrays.at("queue.cases").values<std::int64_t>("queue.cases");
  BOOST_TEST((cases == std::vector<std::int64_t>{2011, 2020, 2021, 2030, 2031}));
  BOOST_TEST((file.arrays.at("queue.maps").shape == shape{5, 2 * 4 * 4, 2}));
  BOOST_TEST((file.arrays.at("queue.counts").shape == shape{5, 2}));
  // Probabilities of the teacher.
  for (const double v : file.arrays.at("queue.maps").values<double>("queue.maps")) BOOST_REQUIRE((v >= 0 && v <= 1));
}

BOOST_FIXTURE_TEST_CASE(a_damaged_queue_is_refused, mutual) {
  auto o = base();
  o.contrast = 0.1;
  o.queue = 5;
  auto method = make(o);
  for (std::uint32_t t = 0; t < 3; ++t) (void)step(method, tiny_batch(t), {t, 10});
  safetensors_file good;
  method.save(good);
  const auto refused = [&](const std::string& name, const named_array& array, const std::string& words) {
    safetensors_file file = good;
    file.arrays[name] = array;
    BOOST_CHECK_EXCEPTION(make(o).load(file), io_error, says(words));
  };
  const auto doubles = [](const shape& s) {
    return named_array::of(s, std::vector<double>(std::size_t(s.size()), 0.5));
  };
  const auto cases = [](index n) { return named_array::of(shape{n}, std::vector<std::int64_t>(std::size_t(n), 7)); };
  refused("queue.cases", cases(4), "cases (4), expected (Q, V, K), (Q, K) and (Q) with Q from 1 to 5");
  refused("queue.maps", doubles({5, 64}), "maps (5, 64), counts (5, 2)");
  refused("queue.maps", doubles({5, 32, 3}), "maps (5, 32, 3), counts (5, 2)");
  refused("queue.counts", doubles({5, 3}), "counts (5, 3)");
  refused("queue.counts", doubles({2, 5}), "counts (2, 5)");
  named_array hole = good.arrays.at("queue.maps");
  const double nan = std::nan("");
  std::memcpy(hole.bytes.data(), &nan, sizeof nan);
  refused("queue.maps", hole, "'queue.maps' holds a value that is not finite");
  o.queue = 4;
  BOOST_CHECK_EXCEPTION(make(o).load(good), io_error, says("Q from 1 to 4"));
  // A queue of another patch is found out at the first step.
  o.queue = 5;
  safetensors_file other = good;
  other.arrays["queue.maps"] = doubles({5, 16, 2});
  auto resumed = make(o);
  resumed.load(other);
  BOOST_CHECK_EXCEPTION((void)step(resumed, tiny_batch(3), {3, 10}), shape_error,
                        says("the queue holds maps (5, 16, 2) (Q, V, K), this step's are (2, 32, 2)"));
}

BOOST_FIXTURE_TEST_CASE(pairs_need_both_modalities, mutual) {
  auto o = base();
  o.contrast = 0.1;
  o.consensus = 0.5;
  o.agreement = "mse";
  auto batch = tiny_batch(0);
  batch.strong.present = {1, 0, 0, 1};
  auto method = make(o);
  const auto none = step(method, batch);
  BOOST_TEST(none.at("contrast") == 0);
  BOOST_TEST(none.at("agreement") == 0);
  BOOST_TEST(none.at("consensus") > 0);
  // One crop with both: the mean is over its pairs alone, so the other crop's images do not matter to the agreement.
  batch.strong.present = {1, 1, 0, 1};
  auto first = make(o), second = make(o);
  const auto one = step(first, batch);
  for (float& v : batch.strong.image(1, 1)) v += 1;
  BOOST_TEST(step(second, batch).at("agreement") == one.at("agreement"), boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(reliabilities_follow_labelled_crops, mutual) {
  auto o = base();
  auto method = make(o);
  auto batch = tiny_batch(0);
  batch.labelled.present = {1, 0, 1, 0};
  (void)step(method, batch);
  const auto s = step(method, batch);
  BOOST_TEST(s.at("reliability.fused") != 0.5);
  BOOST_TEST(s.at("reliability.branch0") != 0.5);
  BOOST_TEST(s.at("reliability.branch1") == 0.5);
  BOOST_TEST(std::fabs(s.at("reliability.branch0") - 0.5) <= 0.5 * (1 - 0.99 * 0.99) + 1e-12);
}

BOOST_FIXTURE_TEST_CASE(unequal_branches_teach_one_way, mutual) {
  auto o = base();
  o.consensus = 0.5;
  o.target = "cps";
  const auto batch = tiny_batch(0);
  // What branch m's decoder learns from the pairs, with branch 0 much better than branch 1 and without any reliability.
  const auto learnt = [&](bool reliability, double rho0, double rho1) {
    auto on = o, off = o;
    on.reliability = reliability;
    off.consensus = 0;
    std::vector<double> out;
    auto a = make(on), b = make(off);
    safetensors_file file;
    file.arrays["reliability"] = named_array::of(shape{3}, std::vector<double>{0.5, rho0, rho1});
    a.load(file);
    (void)step(a, batch);
    (void)step(b, batch);
    for (const std::string m : {"0", "1"}) {
      auto g = gradient(find(student(a), "branch." + m + ".0.head.bias"));
      const auto rest = gradient(find(student(b), "branch." + m + ".0.head.bias"));
      for (std::size_t i = 0; i < g.size(); ++i) g[i] -= rest[i];
      out.push_back(largest(g));
    }
    return out;
  };
  const auto equal = learnt(true, 0.6, 0.6), one_way = learnt(true, 0.8, 0.4), off = learnt(false, 0.8, 0.4);
  BOOST_TEST(equal[0] > 1e-4);
  BOOST_TEST(equal[1] > 1e-4);
  BOOST_TEST(one_way[0] < 1e-15);
  BOOST_TEST(one_way[1] == 2 * equal[1], boost::test_tools::tolerance(1e-9));
  for (std::size_t m = 0; m < 2; ++m) BOOST_TEST(off[m] == 2 * equal[m], boost::test_tools::tolerance(1e-9));
}

BOOST_FIXTURE_TEST_CASE(options_that_make_no_sense_are_refused, mutual) {
  const auto refused = [&](const std::string& part, const auto& edit) {
    BOOST_TEST_CONTEXT(part) {
      auto o = base();
      edit(o);
      BOOST_CHECK_EXCEPTION((void)make(o), config_error, says(part));
    }
  };
  refused("method.contrastive_mutual_learning.confidence = 'hard', expected one of: soft, threshold",
          [](auto& o) { o.confidence = "hard"; });
  refused("method.contrastive_mutual_learning.agreement = 'kl'", [](auto& o) { o.agreement = "kl"; });
  refused("method.contrastive_mutual_learning.disagree = -1", [](auto& o) { o.disagree = -1; });
  refused("method.contrastive_mutual_learning.target = 'mean'", [](auto& o) { o.target = "mean"; });
  refused("method.contrastive_mutual_learning.similarity = 'dice'", [](auto& o) { o.similarity = "dice"; });
  refused("method.contrastive_mutual_learning.temperature = 0", [](auto& o) { o.temperature = 0; });
  refused("method.contrastive_mutual_learning.sharpen = -1", [](auto& o) { o.sharpen = -1; });
  refused("method.contrastive_mutual_learning.queue = -1", [](auto& o) { o.queue = -1; });
  refused("method.contrastive_mutual_learning.pool = 0", [](auto& o) { o.pool = 0; });
}

}  // namespace comodal::tests
