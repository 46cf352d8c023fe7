// SPDX-License-Identifier: Apache-2.0
// The plan of a model file: what comes back, and that a damaged number is refused before it is used.
#define BOOST_TEST_MODULE model_model_file
#include <boost/test/unit_test.hpp>

#include <comodal/model/model_file.hpp>

#include <data/files.hpp>

namespace comodal::tests {
namespace {

model_plan good_plan() {
  model_plan p;
  p.modalities = {"T1", "CT"};
  p.labels = {{"background", {0}}, {"oedema", {2}}, {"core", {7}}};
  p.network.stream_channels = {4, 8};
  p.network.fused_channels = {8, 16};
  p.network.strides = {{2, 2, 1}};
  p.prepare.normalise = {normalisation::head, normalisation::ct};
  p.prepare.ct = {{}, {-100, 200, 40, 30}};
  p.prepare.margin = 3;
  p.patch_size = {5, 16, 32};
  p.spacing = {0.9, 0.9, 3};
  p.method = "mean_teacher";
  p.predictors = {"ema", "student"};
  p.seed = 18446744073709551615u;
  p.steps = 4294967295u;
  return p;
}

safetensors_file file_of(const nlohmann::json& plan) {
  safetensors_file file;
  file.metadata["comodal.format"] = "2";
  file.metadata["comodal.plan"] = plan.dump();
  return file;
}

/// The plan with the value at a JSON pointer replaced by `words`, which is JSON.
nlohmann::json damaged(const std::string& pointer, const std::string& words) {
  auto plan = nlohmann::json::parse(to_json(good_plan()));
  plan[nlohmann::json::json_pointer(pointer)] = nlohmann::json::parse(words);
  return plan;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_plan_comes_back) {
  const model_plan plan = plan_of(file_of(nlohmann::json::parse(to_json(good_plan()))), "f");
  BOOST_TEST(to_json(plan) == to_json(good_plan()));
  BOOST_TEST((plan.prepare.labels == plan.labels));
  BOOST_TEST(plan.seed == 18446744073709551615u);
  model_plan resampled = good_plan();
  resampled.prepare.spacing = {0.8, 0, 2.5};
  BOOST_TEST((plan_of(file_of(nlohmann::json::parse(to_json(resampled))), "f").prepare.spacing ==
              std::array<double, 3>{0.8, 0, 2.5}));
}

BOOST_AUTO_TEST_CASE(a_damaged_value_is_refused_with_its_name) {
  const std::vector<std::array<std::string, 3>> cases{
      {"/labels/1/values", "[]", "class 'oedema' has no label values"},
      {"/labels/1/values", "[300]", "label value 300"},
      {"/labels/1/values", "[-1]", "label value -1"},
      {"/labels/1/values", "[4294967298]", "is 4294967298, expected an integer"},
      {"/labels/1/values", "[2.5]", "is 2.5, expected an integer"},
      {"/labels/1/values", "[7]", "label 'core' is 7, which another label is, too"},
      {"/labels/1/values", "[2, 3]", "'oedema' stands for 2 values"},
      {"/labels", "[]", "0 classes, expected the background"},
      {"/labels", "3", "is not a list of classes"},
      {"/region_order", "[300, 7]", "region order: 300 is no declared label value"},
      {"/region_order", "[7]", "1 label values for 2 regions"},
      {"/region_order", "[7, 1e300]", "\"region_order\"[1] is 1e+300"},
      {"/modalities", "[]", "0 names, expected 1 to 255"},
      {"/modalities", "[\"T1\", \"T1\"]", "modalities: 'T1' stands there twice"},
      {"/model/stream_channels", "[4, 1e12]", "\"stream_channels\"[1] is 1000000000000.0, expected an integer"},
      {"/model/stream_channels", "[4, 1000000]", "1000000, expected 65536 at most"},
      {"/model/stream_channels", "[4, -8]", "-8 channels, expected 1 or more"},
      {"/model/strides", "[[2, 2, 4611686018427387904]]", "4611686018427387904, expected 1024 at most"},
      {"/model/strides", "[[2, 2, 0]]", "0, expected 1 to 64"},
      {"/model/strides", "[[2, 2]]", "an entry has 2 numbers"},
      {"/predictors", "[]", "predictors: no name, expected at least one"},
      {"/model/younger", "1", "has 18 options, this program knows 17 of them"},
      {"/model/blocks", "[2]", "model.blocks: 1 entries, expected 2"},
      {"/model/blocks", "[2, 1000000000000]", "1000000000000, expected 64 at most"},
      {"/model/decoder_convolutions", "-1", "model.decoder_convolutions = -1, expected 1 to 64"},
      {"/model/branches", "1", "\"branches\" is 1, expected true or false"},
      {"/model/precision", "\"fp8\"", "expected fp32, tf32 or bf16"},
      {"/normalise", "[\"head\", \"head\", \"head\"]", "3 values for 2 modalities"},
      {"/spacing", "[1, 1]", "expected a list of 3 numbers"},
      {"/younger", "1", "its plan has \"younger\", which this program does not know"},
      {"/ct", "[]", "normalise = \"ct\": statistics of 0 modalities, expected 2"},
      {"/ct/1/mean", "null", "\"mean\" is null, expected a finite number"},
      {"/ct/1/low", "300", "ct: from 300 to 200"},
      {"/ct", "{}", "\"ct\" is not a list"},
      {"/margin", "-1", "margin = -1, expected 0 to 8192"},
      {"/resampled", "[1, -1, 2]", "spacing: -1 mm, expected 0 (as it is) to 1000"},
      {"/margin", "9223372036854775807", "margin = 9223372036854775807"},
      {"/patch_size", "[0, 16, 32]", "patch_size: 0 voxels, expected 1 to 1024"},
      {"/patch_size", "[5, 16, 33]", "patch_size: 33 voxels (axis 2 of D, H, W) are not a multiple"},
      {"/patch_size", "[5, 16]", "expected a list of 3 numbers"},
      {"/spacing", "[1, 1, -1]", "spacing: -1 mm"},
      {"/seed", "-1", "\"seed\" is -1"},
      {"/steps", "4294967296", "\"steps\" is 4294967296"},
      {"/orientation", "\"LPS\"", "another orientation than RAS"},
  };
  for (const auto& [pointer, words, message] : cases) {
    BOOST_TEST_CONTEXT(pointer << " = " << words) {
      BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of(file_of(damaged(pointer, words)), "f.safetensors")), io_error,
                            test::says(message));
      BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of(file_of(damaged(pointer, words)), "f.safetensors")), io_error,
                            test::says("f.safetensors: its plan is damaged"));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_normalisation_that_the_program_lacks_is_named) {
  const auto file = file_of(damaged("/normalise", "[\"heads\"]"));
  BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of(file, "f.safetensors")), config_error,
                        test::says("f.safetensors: data.normalise = 'heads': this program has no normalisation of that "
                                   "name; did you mean 'head'?"));
  auto names = normalisation_registry::built_in();
  auto own = normalisation::head;
  own.name = "heads";
  names.add(own);
  BOOST_TEST((plan_of(file, "f.safetensors", names).prepare.normalise == std::vector{own}));
}

BOOST_AUTO_TEST_CASE(a_missing_value_is_named) {
  for (const char* key : {"orientation", "modalities", "labels", "region_order", "model", "normalise", "margin",
                          "patch_size", "spacing", "method", "predictors", "seed", "steps", "version"}) {
    auto plan = nlohmann::json::parse(to_json(good_plan()));
    plan.erase(key);
    BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of(file_of(plan), "f")), io_error,
                          test::says(text("its plan has no \"", key, "\"")));
  }
  BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of({}, "f")), io_error, test::says("f: is no comodal model"));
  safetensors_file cut;
  cut.metadata["comodal.format"] = "2";
  cut.metadata["comodal.plan"] = to_json(good_plan()).substr(0, 100);
  BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of(cut, "f")), io_error, test::says("f: its plan is damaged ("));
}

namespace {

safetensors_file with_arrays(safetensors_file file) {
  file.arrays["ema/decoder.0.head.bias"] = named_array::of(shape{2}, std::vector<float>{1, 2});
  file.arrays["student/decoder.0.head.bias"] = named_array::of(shape{2}, std::vector<float>{3, 4});
  file.arrays["student/optimiser.velocity.decoder.0.head.bias"] = named_array::of(shape{2}, std::vector<float>{5, 6});
  file.arrays["reliability"] = named_array::of(shape{1}, std::vector<float>{7});
  return file;
}

/// The same as 0.1.0 wrote it.
safetensors_file in_format_1(safetensors_file file) {
  file.metadata.erase("comodal.format");
  auto j = nlohmann::json::parse(file.metadata.at("comodal.plan"));
  j["patch"] = j["patch_size"];
  j["model"]["filters"] = j["model"]["kernel_size"];
  for (const char* key : {"patch_size", "predictors"}) j.erase(key);
  for (const char* key : {"kernel_size", "dropout", "decoder", "blocks", "decoder_convolutions"}) j["model"].erase(key);
  file.metadata["comodal.plan"] = j.dump();
  std::map<std::string, named_array> arrays;
  for (const auto& [name, array] : file.arrays) {
    std::string before = name.starts_with("student/optimiser.") ? name.substr(8) : name;
    if (const auto slash = before.find('/'); slash != std::string::npos) before[slash] = '.';
    arrays.emplace(before, array);
  }
  file.arrays = arrays;
  return file;
}

safetensors_file written(const safetensors_file& content) {
  const test::folder place("model-file");
  write_checked_safetensors(place / "model", content);
  return read_model_file(place / "model");
}

}  // namespace

BOOST_AUTO_TEST_CASE(format_1_is_translated) {
  auto plan = good_plan();
  plan.network.kernel_size = {{3, 3, 1}, {5, 3, 3}};
  safetensors_file file;
  write_plan(plan, file);
  BOOST_TEST(file.metadata.at("comodal.format") == "2");
  const auto now = written(with_arrays(file)), before = written(in_format_1(with_arrays(file)));
  BOOST_TEST(to_json(plan_of(now, "now")) == to_json(plan));
  BOOST_TEST(to_json(plan_of(before, "before")) == to_json(plan));
  BOOST_TEST(before.arrays.size() == 4u);
  for (const auto& [name, array] : now.arrays) {
    BOOST_REQUIRE_MESSAGE(before.arrays.contains(name), name);
    BOOST_TEST((before.arrays.at(name).bytes == array.bytes), name);
  }
}

BOOST_AUTO_TEST_CASE(from_format_2_on_every_option_is_there) {
  auto plan = nlohmann::json::parse(to_json(good_plan()));
  plan["model"].erase("dropout");
  BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of(file_of(plan), "f")), io_error,
                        test::says("\"model\" has no \"dropout\""));
}

BOOST_AUTO_TEST_CASE(options_that_are_younger_than_a_file_of_format_2_have_their_defaults) {
  auto made = good_plan();
  made.network.blocks = {2, 3};
  made.network.decoder_convolutions = 1;
  auto plan = nlohmann::json::parse(to_json(made));
  const auto read = plan_of(file_of(plan), "f").network;
  BOOST_TEST((read.blocks == std::vector<index>{2, 3}));
  BOOST_TEST(read.decoder_convolutions == 1);
  plan["model"].erase("blocks");
  plan["model"].erase("decoder_convolutions");
  const auto before = plan_of(file_of(plan), "f").network;
  BOOST_TEST(before.blocks.empty());
  BOOST_TEST(before.decoder_convolutions == 2);
  BOOST_TEST((before.stream_channels == made.network.stream_channels));
}

BOOST_AUTO_TEST_CASE(files_of_the_future_and_damaged_formats_are_refused) {
  safetensors_file file;
  write_plan(good_plan(), file);
  file.metadata["comodal.format"] = "3";
  BOOST_CHECK_EXCEPTION(static_cast<void>(written(file)), io_error,
                        test::says("is of format 3, this program reads formats 1 to 2"));
  for (const char* words : {"", "two", "2x", "-1", "99999999999999999999"}) {
    file.metadata["comodal.format"] = words;
    BOOST_CHECK_EXCEPTION(static_cast<void>(written(file)), io_error,
                          test::says(text("its format is '", words, "', expected a number from 1 to 2")));
  }
}

}  // namespace comodal::tests
