// SPDX-License-Identifier: Apache-2.0
// The crops of a step on the back end: what arrives, how often it is sent, and where it lies.
#define BOOST_TEST_MODULE ssl_device_batch
#include <boost/test/unit_test.hpp>

#include <comodal/ssl/targets.hpp>

#include <ssl/support.hpp>

namespace comodal::tests {

using B = bench::backend;

struct crops_bench : bench {
  step_batch batch = tiny_batch(1, true);

  crops_bench() {
    batch.labelled.present = {1, 0, 1, 1};
    batch.strong.present = {0, 1, 1, 1};
    batch.strong.fields["distance"].assign(batch.strong.labels.size(), 0.25f);
    batch.strong.box.assign(batch.strong.labels.size(), 1);
    batch.labelled.annotated = {1, 0, 1, 1, 1, 1};
    batch.more["labelled_weak"] = batch.labelled;
  }
  template <class T>
  [[nodiscard]] std::vector<T> all(const tensor<T, B::space_type>& t) const {
    return to_host(ctx.space(), t);
  }
  void compare(const device_crops<B>& found, const crop_batch& given) const {
    BOOST_TEST(found.samples == given.samples);
    BOOST_TEST(found.modalities == given.modalities);
    BOOST_TEST((found.size == given.size));
    BOOST_REQUIRE(found.volumes.size() == given.images.size());
    for (std::size_t m = 0; m < given.images.size(); ++m)
      BOOST_TEST((host(found.volumes[m]) == converted<double>(given.images[m])));
    BOOST_TEST((host(found.present.mask()) == converted<double>(given.present)));
    const presence_values<double> expected(given.samples, given.modalities, given.present);
    BOOST_TEST((host(found.present.share()) == expected.share));
    BOOST_TEST((all(found.cases) == std::vector<std::int64_t>(given.cases.begin(), given.cases.end())));
    BOOST_TEST((all(found.labels) == given.labels));
    BOOST_TEST((all(found.known) == given.known));
    BOOST_TEST((all(found.box) == given.box));
    BOOST_TEST(static_cast<bool>(found.annotated) == !given.annotated.empty());
    if (found.annotated) {
      BOOST_TEST((found.annotated.shape() == shape{2, 3}));
      BOOST_TEST((host(found.annotated) == converted<double>(given.annotated)));
    }
    BOOST_TEST(found.fields.size() == given.fields.size());
    for (const auto& [name, values] : given.fields)
      BOOST_TEST((host(found.fields.at(name)) == converted<double>(values)));
  }
};

BOOST_FIXTURE_TEST_CASE(every_array_of_every_view_arrives_in_one_upload, crops_bench) {
  const index sent = uploads(), waits = host_synchronisations();
  const device_batch<B> crops(home, batch);
  BOOST_TEST(uploads() - sent == 1);
  BOOST_TEST(host_synchronisations() == waits);
  compare(crops.labelled, batch.labelled);
  compare(crops.weak, batch.weak);
  compare(crops.strong, batch.strong);
  BOOST_REQUIRE(crops.more.size() == 1u);
  compare(crops.more.at("labelled_weak"), batch.labelled);
}

BOOST_FIXTURE_TEST_CASE(views_that_were_not_asked_for_are_empty, crops_bench) {
  batch.weak = batch.strong = {};
  batch.more.clear();
  const device_batch<B> crops(home, batch);
  BOOST_TEST(crops.labelled.samples == 2);
  BOOST_TEST(crops.weak.samples == 0);
  BOOST_TEST(crops.strong.volumes.empty());
  BOOST_CHECK_EXCEPTION((network_input<B>({&crops.weak})), shape_error,
                        says("network_input: the crops are empty; ask for them in views()"));
}

BOOST_FIXTURE_TEST_CASE(views_are_joined_without_a_copy_where_they_lie_side_by_side, crops_bench) {
  const device_batch<B> crops(home, batch);
  for (const auto& [parts, given, copies] :
       {std::tuple{std::vector{&crops.labelled, &crops.strong}, std::vector{&batch.labelled, &batch.strong}, false},
        std::tuple{std::vector{&crops.labelled, &crops.weak}, std::vector{&batch.labelled, &batch.weak}, true}}) {
    const index before = runs(ctx);
    const network_input<B> input({parts.begin(), parts.end()});
    BOOST_TEST((runs(ctx) > before) == copies);
    for (std::size_t m = 0; m < 2; ++m) {
      auto expected = given[0]->images[m];
      expected.insert(expected.end(), given[1]->images[m].begin(), given[1]->images[m].end());
      BOOST_TEST((host(input.volumes[m]) == converted<double>(expected)));
    }
    BOOST_TEST(input.present.samples() == 4);
    const network_input<B> of_host(home, {given[0], given[1]});
    BOOST_TEST((host(input.present.mask()) == host(of_host.present.mask())));
    BOOST_TEST((host(input.present.share()) == host(of_host.present.share())));
  }
}

BOOST_FIXTURE_TEST_CASE(the_next_batch_takes_the_memory_unless_somebody_holds_it, crops_bench) {
  const auto place = [&] { return device_batch<B>(home, batch).labelled.volumes[0].value().data(); };
  const auto* const first = place();
  BOOST_TEST(place() == first);
  const auto held = device_batch<B>(home, batch).labelled.volumes[0];
  const auto before = host(held);
  batch.labelled.images[0].assign(batch.labelled.images[0].size(), 9.f);
  BOOST_TEST(place() != first);
  BOOST_TEST((host(held) == before));
}

// A caller may fill one step_batch again and again: what was sent ahead is used once.
BOOST_FIXTURE_TEST_CASE(a_batch_that_was_sent_ahead_is_not_sent_again, crops_bench) {
  upload_batch(home, batch);
  const index sent = uploads();
  (void)device_batch<B>(home, batch);
  BOOST_TEST(uploads() == sent);
  batch.labelled.images[0][0] = 42;
  BOOST_TEST(host(device_batch<B>(home, batch).labelled.volumes[0])[0] == 42);
  upload_batch(home, batch);
  const step_batch other = tiny_batch(2);
  BOOST_TEST(host(device_batch<B>(home, other).labelled.volumes[0])[0] == other.labelled.images[0][0]);
}

BOOST_FIXTURE_TEST_CASE(masks_that_make_no_sense_are_refused, crops_bench) {
  batch.strong.present = {0, 0, 1, 1};
  BOOST_CHECK_EXCEPTION((device_batch<B>(home, batch)), config_error,
                        says("presence: sample 0 has no modality at all"));
  batch.strong.present = {0, 1, 1};
  BOOST_CHECK_EXCEPTION((device_batch<B>(home, batch)), shape_error, says("3 values for 2 samples of 2 modalities"));
}

BOOST_FIXTURE_TEST_CASE(targets_are_those_of_the_host_batch, crops_bench) {
  const target_map map = target_map::of_classes(tiny_classes);
  const device_batch<B> crops(home, batch);
  const auto target = one_hot(map, crops.labelled);
  BOOST_TEST((host(target) == to_host(ctx.space(), one_hot(ctx, map, batch.labelled))));
  const index sent = host_synchronisations();
  (void)one_hot(map, crops.labelled);  // the table of labels is there
  BOOST_TEST(host_synchronisations() == sent);
  BOOST_CHECK_EXCEPTION((void)one_hot(map, crops.weak), shape_error, says("one_hot: the crops have no labels"));
}

}  // namespace comodal::tests
