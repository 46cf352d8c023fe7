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
  p.patch = {5, 16, 32};
  p.spacing = {0.9, 0.9, 3};
  p.method = "mean_teacher";
  p.seed = 18446744073709551615u;
  p.steps = 4294967295u;
  return p;
}

safetensors_file file_of(const nlohmann::json& plan) {
  safetensors_file file;
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
      {"/modalities", "[\"T1\", \"T1\"]", "a name stands there twice"},
      {"/model/stream_channels", "[4, 1e12]", "\"stream_channels\"[1] is 1000000000000.0, expected an integer"},
      {"/model/stream_channels", "[4, 1000000]", "1000000, expected 65536 at most"},
      {"/model/stream_channels", "[4, -8]", "-8 channels, expected 1 or more"},
      {"/model/strides", "[[2, 2, 4611686018427387904]]", "4611686018427387904, expected 1024 at most"},
      {"/model/strides", "[[2, 2, 0]]", "0, expected 1 or more"},
      {"/model/strides", "[[2, 2]]", "an entry has 2 numbers"},
      {"/model/branches", "1", "\"branches\" is 1, expected true or false"},
      {"/model/precision", "\"fp8\"", "expected fp32 or bf16"},
      {"/normalise", "[\"head\", \"head\", \"head\"]", "3 values for 2 modalities"},
      {"/normalise", "[\"heads\"]", "expected head, nonzero, ct or none"},
      {"/ct/1/mean", "null", "\"mean\" is null, expected a finite number"},
      {"/ct/1/low", "300", "ct: from 300 to 200"},
      {"/ct", "{}", "\"ct\" is not a list"},
      {"/margin", "-1", "margin = -1, expected 0 to 8192"},
      {"/margin", "9223372036854775807", "margin = 9223372036854775807"},
      {"/patch", "[0, 16, 32]", "patch: 0 voxels, expected 1 to 1024"},
      {"/patch", "[5, 16, 33]", "patch: 33 voxels (axis 2 of D, H, W) are not a multiple"},
      {"/patch", "[5, 16]", "expected a list of 3 numbers"},
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

BOOST_AUTO_TEST_CASE(a_missing_value_is_named) {
  for (const char* key : {"orientation", "modalities", "labels", "region_order", "model", "normalise", "margin",
                          "patch", "method", "seed", "steps"}) {
    auto plan = nlohmann::json::parse(to_json(good_plan()));
    plan.erase(key);
    BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of(file_of(plan), "f")), io_error,
                          test::says(text("its plan has no \"", key, "\"")));
  }
  BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of({}, "f")), io_error, test::says("f: is no comodal model"));
  safetensors_file cut;
  cut.metadata["comodal.plan"] = to_json(good_plan()).substr(0, 100);
  BOOST_CHECK_EXCEPTION(static_cast<void>(plan_of(cut, "f")), io_error, test::says("f: its plan is damaged ("));
}

}  // namespace comodal::tests
