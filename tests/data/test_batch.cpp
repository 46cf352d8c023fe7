// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE data_batch
#include <comodal/data/batch.hpp>

#include <boost/test/unit_test.hpp>

#include <set>
#include <type_traits>

namespace comodal::tests {
namespace {

template <class Case>
concept has_label = requires(const Case& c) { c.label; };
static_assert(has_label<labelled_training_case>);
static_assert(!has_label<unlabelled_training_case>);

}  // namespace

BOOST_AUTO_TEST_CASE(every_option_has_one_name) {
  batch_options options;
  std::set<std::string> names;
  std::size_t bytes = 0, calls = 0;
  visit_batch_options(options, [&](std::string_view name, auto& value, auto) {
    names.emplace(name);
    bytes += sizeof value;
    ++calls;
  });
  BOOST_TEST(names.size() == calls);
  // No field is forgotten: what is visited fills the struct but for padding.
  BOOST_TEST(bytes <= sizeof(batch_options));
  BOOST_TEST(sizeof(batch_options) - bytes < 16u);
}

BOOST_AUTO_TEST_CASE(defaults_make_sense_and_a_choice_has_names) {
  BOOST_CHECK_NO_THROW(check(batch_options{}));
  BOOST_TEST(choice_names(mix_mode{})[static_cast<std::size_t>(mix_mode::box)] == "box");
  BOOST_TEST(choice_names(unlabelled_sampling{})[static_cast<std::size_t>(unlabelled_sampling::teacher)] == "teacher");
}

BOOST_AUTO_TEST_CASE(senseless_options_are_named) {
  const auto message = [](auto change) -> std::string {
    batch_options o;
    change(o);
    try {
      check(o);
    } catch (const config_error& e) {
      return e.what();
    }
    return "accepted";
  };
  BOOST_TEST(message([](auto& o) { o.patch_size[1] = 0; }).starts_with("batch.patch_size = 0:"));
  BOOST_TEST(message([](auto& o) { o.labelled = 0; }).starts_with("batch.labelled = 0:"));
  BOOST_TEST(message([](auto& o) { o.modality_dropout = 1.5; }).starts_with("augment.modality_dropout = 1.5:"));
  BOOST_TEST(message([](auto& o) { o.noise = {0.2, 0.1}; }).starts_with("augment.noise = [0.2, 0.1]:"));
  BOOST_TEST(message([](auto& o) { o.scale = {0, 1}; }).starts_with("augment.scale"));
  BOOST_TEST(message([](auto& o) { o.rotation_degrees[2] = -1; }).starts_with("augment.rotation_degrees"));
  BOOST_TEST(message([](auto& o) { o.brightness = {-0.5, 1}; }).starts_with("augment.brightness = [-0.5, 1]:"));
  BOOST_TEST(message([](auto& o) { o.contrast = {-0.5, 1}; }).starts_with("augment.contrast = [-0.5, 1]:"));
  BOOST_TEST(message([](auto& o) { o.low_resolution = {0, 1}; }).starts_with("augment.low_resolution = [0, 1]:"));
  BOOST_TEST(message([](auto& o) { o.low_resolution = {0.5, 2}; }).starts_with("augment.low_resolution = [0.5, 2]:"));
  BOOST_TEST(message([](auto& o) { o.retained_gamma = {0, 1}; }).starts_with("augment.retained_gamma = [0, 1]:"));
  BOOST_TEST(message([](auto& o) { o.blur_share = 2; }).starts_with("augment.blur_share = 2:"));
  BOOST_TEST(message([](auto& o) { o.mix_side = 0; }).starts_with("augment.mix_side"));
  BOOST_TEST(message([](auto& o) { o.jitter = 0.6; }).starts_with("sampling.jitter"));
  BOOST_TEST(message([](auto& o) { o.unlabelled = 0; }) == "accepted");
}

BOOST_AUTO_TEST_CASE(parts_of_a_batch) {
  crop_batch crops;
  crops.resize(2, 3, {2, 3, 4}, true, false);
  BOOST_TEST(crops.images.size() == 3u);
  BOOST_TEST(crops.images[0].size() == 48u);
  BOOST_TEST(crops.labels.size() == 48u);
  BOOST_TEST(crops.known.empty());
  BOOST_TEST((crops.image(1, 2).data() == crops.images[2].data() + 24));
  BOOST_TEST((crops.label(1).data() == crops.labels.data() + 24));
  BOOST_TEST((crops.presence(1).data() == crops.present.data() + 3));
  BOOST_TEST(crops.presence(1).size() == 3u);
}

BOOST_AUTO_TEST_CASE(streams_of_a_batch_differ) {
  std::set<std::uint32_t> first;
  int count = 0;
  for (const auto part : {detail::batch_part::labelled, detail::batch_part::unlabelled, detail::batch_part::weak,
                          detail::batch_part::strong})
    for (index n = 0; n < 4; ++n)
      for (index m = 0; m < 5; ++m)
        for (std::uint32_t step = 0; step < 3; ++step, ++count)
          first.insert(detail::batch_stream(1, random_purpose::augmentation, part, n, step, m).bits());
  BOOST_TEST(first.size() == static_cast<std::size_t>(count));
}

}  // namespace comodal::tests
