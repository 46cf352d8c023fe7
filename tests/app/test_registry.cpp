// SPDX-License-Identifier: Apache-2.0
// Names of one's own: blocks, losses, optimisers, readers and normalisations beside those of the library.
#define BOOST_TEST_MODULE app_registry
#include <boost/test/unit_test.hpp>

#include <comodal/app/experiment.hpp>
#include <comodal/train/optimiser_set.hpp>

#include <nn/support.hpp>

#include <fstream>

namespace comodal::tests {

using B = mixed_backend;

struct first_only_fusion {};

// A reader of folders with a file "own.layout": no case, two modalities.
struct own_reader {
  std::filesystem::path folder;
  static constexpr std::string_view layout() { return "own"; }
  static bool recognises(const std::filesystem::path& path) { return std::filesystem::exists(path / "own.layout"); }
  [[nodiscard]] cohort_listing list() const {
    cohort_listing listing;
    listing.source = folder;
    listing.modalities = {"A", "B"};
    return listing;
  }
};

// Plain gradient descent without momentum.
template <tensor_backend Backend>
class descent {
 public:
  explicit descent(const optimiser_options& options) : m_sgd(plain(options)) {}
  variable<Backend> update(const parameter_store<Backend>& parameters, double rate, std::uint32_t step) {
    return m_sgd.update(parameters, rate, step);
  }
  void save(const parameter_store<Backend>&, safetensors_file&) const {}
  void load(const parameter_store<Backend>&, const safetensors_file&) {}

 private:
  static optimiser_options plain(optimiser_options o) {
    o.momentum = 0;
    return o;
  }
  sgd<Backend> m_sgd;
};

// The mean squared error of probabilities, with a factor.
struct scaled_options {
  double factor = 1;
  template <class Options, class Visit>
  static void visit(Options& o, Visit&& visit) {
    visit("factor", o.factor);
  }
  void check() const {
    if (!(factor > 0)) throw config_error(text("loss.scaled.factor = ", factor, ", expected more than 0"));
  }
};
struct scaled_error {
  label_kind kind;
  double factor;
  template <tensor_backend Backend>
  variable<Backend> operator()(const variable<Backend>& z, const variable<Backend>& q,
                               const variable<Backend>& w) const {
    return scale(mean_squared_error{kind}(z, q, w), factor);
  }
};

// Supervised training under another name, without options.
template <tensor_backend Backend>
class labelled_only {
 public:
  explicit labelled_only(const method_setup<Backend>& setup)
      : m_inner(setup, supervised_options{.weights = "student"}) {}
  batch_views views() const { return m_inner.views(); }
  named_scalars<Backend> step(const step_batch& batch, const step_request& request) {
    return m_inner.step(batch, request);
  }
  std::vector<named_store<Backend>> trained() const { return m_inner.trained(); }
  std::vector<named_network<Backend>> predictors() const { return m_inner.predictors(); }
  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 private:
  named_supervised<Backend> m_inner;
};

}  // namespace comodal::tests

// The first modality alone.
template <comodal::tensor_backend Backend>
struct comodal::fusion_block<comodal::tests::first_only_fusion, Backend> {
  fusion_block(const parameter_scope<Backend>& scope, const fusion_sizes& sizes)
      : m_mix(scope / "mix", sizes.stream_channels, sizes.fused_channels, {1, 1, 1}) {}
  variable<Backend> fuse(const std::vector<variable<Backend>>& maps, const presence<Backend>&) const {
    return m_mix(maps[0]);
  }

 private:
  convolution<Backend> m_mix;
};

namespace comodal::tests {

struct own_names {
  registry<B> names = registry<B>::built_in();
  own_names() {
    names.fusion<first_only_fusion>("first_only");
    names.optimiser<generic<descent>>("descent");
    names.consistency_loss<scaled_options>(
        "scaled", [](label_kind kind, const scaled_options& o) { return scaled_error{kind, o.factor}; });
    names.method<generic<labelled_only>>("labelled_only");
    names.reader<own_reader>();
    names.normalisation(
        {.name = "halves", .scaling = [](const image_volume&, const label_volume&, const ct_statistics&) {
           intensity_scaling s;
           s.scale = 2;
           return s;
         }});
  }
};

app::experiment experiment_of(const registry<B>& names, const std::vector<std::string>& words) {
  return app::read_experiment("", words, names);
}

BOOST_FIXTURE_TEST_CASE(a_registry_is_a_value, own_names) {
  const auto without = registry<B>::built_in();
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--model.fusion", "first_only"},
                                             {"--optimiser.name", "descent"},
                                             {"--loss.consistency", "scaled"},
                                             {"--method.name", "labelled_only"},
                                             {"--data.normalise", "[\"halves\"]"}}) {
    BOOST_CHECK_NO_THROW((void)experiment_of(names, words));
    BOOST_CHECK_EXCEPTION((void)experiment_of(without, words), config_error, says("this program has no "));
  }
}

BOOST_FIXTURE_TEST_CASE(a_name_is_taken_once, own_names) {
  const auto refused = says("already; choose another name");
  BOOST_CHECK_EXCEPTION(names.fusion<first_only_fusion>("first_only"), config_error, refused);
  BOOST_CHECK_EXCEPTION(names.fusion<first_only_fusion>("gated"), config_error, refused);
  BOOST_CHECK_EXCEPTION(names.fusion<first_only_fusion>("early"), config_error, refused);
  BOOST_CHECK_EXCEPTION(names.method<generic<labelled_only>>("supervised"), config_error, refused);
  BOOST_CHECK_EXCEPTION(names.optimiser<generic<descent>>("sgd"), config_error, refused);
  BOOST_CHECK_EXCEPTION(names.reader<nnunet_raw_reader>(), config_error, refused);
  BOOST_CHECK_EXCEPTION(names.fusion<first_only_fusion>("first only"), config_error,
                        says("registry: 'first only' cannot name a fusion block, expected letters, digits"));
  BOOST_CHECK_EXCEPTION(names.fusion<first_only_fusion>(""), config_error, says("registry: '' cannot name"));
}

BOOST_FIXTURE_TEST_CASE(a_named_block_computes_in_both_precisions, own_names) {
  for (const char* precision : {"fp32", "bf16"}) {
    bench_of<B> at;
    network_options o;
    o.stream_channels = {2, 4};
    o.fused_channels = {4, 8};
    o.fusion = "first_only";
    o.precision = precision;
    const auto network = make_network<B>(at.home, o, 2, 2, 1, names);
    const auto out = [&](double second) {
      return at.host(
          network
              .forward({at.constant({1, 4, 4, 4, 1}, 1), at.constant({1, 4, 4, 4, 1}, second)}, {at.home, 1, 2, {1, 1}})
              .fused);
    };
    BOOST_TEST((out(2) == out(3)), precision);
    BOOST_CHECK_EXCEPTION((void)make_network<B>(at.home, o, 2, 2, 1), config_error,
                          says("model.fusion = 'first_only': this program has no fusion block of that name"));
  }
}

BOOST_FIXTURE_TEST_CASE(a_loss_has_options_of_its_own, own_names) {
  const auto e = experiment_of(
      names, {"--method.name", "mean_teacher", "--loss.consistency", "scaled", "--loss.scaled.factor", "3"});
  bench_of<B> at;
  const auto z = at.constant({1, 2, 2, 2, 2}, 1), q = at.constant({1, 2, 2, 2, 2}, 2);
  const auto kind = label_kind::regions;
  const double plain = at.host(names.make_consistency_loss("mean_squared_error", kind)(z, q))[0],
               scaled = at.host(names.make_consistency_loss(e.losses.consistency, kind)(z, q))[0];
  BOOST_TEST(plain > 0);
  BOOST_TEST(scaled == static_cast<double>(static_cast<float>(plain) * 3.f));
  BOOST_CHECK_EXCEPTION((void)experiment_of(names, {"--loss.consistency", "scaled", "--loss.scaled.factor", "-1"}),
                        config_error, says("loss.scaled.factor = -1, expected more than 0"));
  BOOST_CHECK_EXCEPTION((void)experiment_of(names, {"--loss.scaled.factor", "2"}), config_error,
                        says("command line: 'loss.scaled.factor': belongs to the loss 'scaled', which is not chosen"));
}

BOOST_FIXTURE_TEST_CASE(a_loss_that_the_method_does_not_use_is_refused, own_names) {
  bench_of<B> at;
  network_options network;
  network.stream_channels = {2, 4};
  network.fused_channels = {4, 8};
  const auto make = [&](const char* method) {
    return make_method<B>(at.home, method, network, 2, target_map::of_classes(2), 1, {.consistency = "scaled"}, names);
  };
  BOOST_TEST(make("mean_teacher").trained().size() == 1u);
  BOOST_CHECK_EXCEPTION((void)make("supervised"), config_error,
                        says("loss.consistency = 'scaled': the method 'supervised' uses no consistency loss"));
}

BOOST_FIXTURE_TEST_CASE(losses_of_all_kinds_share_their_names, own_names) {
  const auto make = [](label_kind kind) { return mean_squared_error{kind}; };
  const auto refused = says("registry: there is a loss or a key '");
  BOOST_CHECK_EXCEPTION(names.consistency_loss("dice_cross_entropy", make), config_error, refused);
  BOOST_CHECK_EXCEPTION(names.consistency_loss("segmentation", make), config_error, refused);
  BOOST_CHECK_EXCEPTION(names.method<generic<labelled_only>>("name"), config_error,
                        says("already; choose another name"));
}

BOOST_FIXTURE_TEST_CASE(a_named_method_trains_with_a_named_optimiser, own_names) {
  bench_of<B> at;
  network_options network;
  network.stream_channels = {2, 4};
  network.fused_channels = {4, 8};
  const auto method = make_method<B>(at.home, "labelled_only", network, 2, target_map::of_classes(2), 1, {}, names);
  BOOST_TEST(!method.views().has_unlabelled());
  optimiser_options o;
  o.name = "descent";
  const optimiser_set<B> optimisers(o, method.trained(), names);
  BOOST_TEST(optimisers.count() == method.predictor("student").parameters().count());
}

BOOST_FIXTURE_TEST_CASE(a_reader_is_found_by_what_it_recognises, own_names) {
  const temporary_folder folder;
  BOOST_CHECK_EXCEPTION(
      (void)names.readers.list(folder.path()), config_error,
      says("is of no layout that this program reads (decathlon, nnunet-raw, brats, case-list, case-folders, own)"));
  std::ofstream(folder / "own.layout") << "\n";
  BOOST_TEST(names.readers.layout_of(folder.path()) == "own");
  auto e = experiment_of(names, {"--data.folder", folder.path().string()});
  BOOST_TEST(e.read_cohort(names).modalities.size() == 2u);
}

}  // namespace comodal::tests
