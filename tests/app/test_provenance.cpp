// SPDX-License-Identifier: Apache-2.0
// Who made a result: dates, commands for a shell, the record of a run.
#define BOOST_TEST_MODULE app_provenance
#include <boost/test/unit_test.hpp>

#include <comodal/app/provenance.hpp>
#include <comodal/model/model_file.hpp>

#include <data/files.hpp>

#include <array>
#include <cstdlib>

namespace comodal::tests {

BOOST_AUTO_TEST_CASE(a_command_is_written_as_a_shell_takes_it) {
  const std::array<const char*, 6> words{"comodal", "train", "my file.toml", "it's", "", "--train.steps=4"};
  BOOST_TEST(app::shell_command(6, words.data()) == R"(comodal train 'my file.toml' 'it'\''s' '' --train.steps=4)");
  BOOST_TEST(app::shell_word("a\\b") == R"('a\b')");
  BOOST_TEST(app::shell_word("\xC3\xA4") == "'\xC3\xA4'");
  BOOST_TEST(app::shell_word("b\xFF'\n\\") == R"($'b\xff\'\x0a\\')");
}

BOOST_AUTO_TEST_CASE(a_fixed_date_is_taken) {
  ::setenv("SOURCE_DATE_EPOCH", "1764493200", 1);
  BOOST_TEST(app::date_now() == "2025-11-30T09:00:00Z");
  for (const char* none : {"abc", "1e9", "-1", "99999999999999999999999", "253402300800", " 1"}) {
    ::setenv("SOURCE_DATE_EPOCH", none, 1);
    BOOST_CHECK_EXCEPTION((void)app::date_now(), config_error, test::says("expected seconds since 1970"));
  }
  ::unsetenv("SOURCE_DATE_EPOCH");
  BOOST_TEST(app::date_now() > "2026");
  BOOST_TEST(app::date_now().size() == 20U);
}

BOOST_AUTO_TEST_CASE(it_says_the_program) {
  app::this_program() = {"abc", "comodal train"};
  const auto now = app::provenance_now();
  BOOST_TEST(now.version == COMODAL_VERSION);
  BOOST_TEST(now.commit == "abc");
  BOOST_TEST(now.command == "comodal train");
  BOOST_TEST(!now.host.empty());
  const auto again = app_detail::provenance_from(app_detail::to_json(now));
  BOOST_TEST(again.date == now.date);
  BOOST_TEST(again.host == now.host);
  BOOST_TEST(app_detail::provenance_from({{"version", 3}}).version.empty());
}

BOOST_AUTO_TEST_CASE(a_run_records_its_calls_and_the_sums_of_its_models) {
  const test::folder folder("provenance");
  const auto file = app_detail::run_record::file_in(folder.path());
  app_detail::run_record::changed(folder.path(), "postprocessing");
  BOOST_TEST(!std::filesystem::exists(file));  // of a folder that no run made
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& words) { warnings.push_back(words); };
  app_detail::run_record first(folder.path(), 0, warn);
  BOOST_TEST(read_json(file)["sha256"].empty());
  first.end(5, 1.5, false);
  test::write_text(folder / "model.safetensors", "abc");
  app_detail::run_record second(folder.path(), 5, warn);
  second.end(9, 2, true);
  auto found = read_json(file);
  BOOST_TEST(found["calls"].size() == 2U);
  BOOST_TEST(found["calls"][0]["steps"] == 5);
  BOOST_TEST(found["calls"][0]["finished"] == false);
  BOOST_TEST(found["calls"][1]["first_step"] == 5);
  BOOST_TEST(found["calls"][1]["finished"] == true);
  BOOST_TEST(found["sha256"]["model.safetensors"] == sha256_of("abc"));
  test::write_text(folder / "model.safetensors", "abcd");
  app_detail::run_record::changed(folder.path(), "postprocessing");
  found = read_json(file);
  BOOST_REQUIRE(found["calls"].size() == 3U);
  BOOST_TEST(found["calls"][2]["changed"] == "postprocessing");
  BOOST_TEST(app_detail::run_record::last_training(app_detail::run_record::calls_in(folder.path()))["first_step"] == 5);
  BOOST_TEST(found["sha256"]["model.safetensors"] == sha256_of("abcd"));
  BOOST_TEST(warnings.empty());
  test::write_text(file, "{\"calls\": [1,");
  const app_detail::run_record third(folder.path(), 9, warn);
  BOOST_REQUIRE(warnings.size() == 1U);
  BOOST_TEST(warnings[0].find("provenance.damaged.json") != std::string::npos);
  BOOST_TEST(std::filesystem::exists(folder / "provenance.damaged.json"));
  BOOST_TEST(read_json(file)["calls"].size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_call_that_trained_is_the_last_that_did_something) {
  using app_detail::run_record;
  const test::folder folder("provenance");
  BOOST_TEST(run_record::calls_in(folder.path()).empty());
  BOOST_TEST(run_record::last_training({}).is_null());
  test::write_text(folder / "provenance.json",
                   R"({"calls": [{"command": "a", "first_step": 0, "steps": 5}, {"command": "b", "first_step": 5},
                       {"command": "c", "first_step": 9, "steps": 9}, 3], "sha256": {"model.safetensors": "s"}})");
  const auto calls = run_record::calls_in(folder.path());
  BOOST_TEST(calls.size() == 4U);
  BOOST_TEST(run_record::last_training(calls)["command"] == "b");  // killed; c did nothing
  BOOST_TEST(run_record::sum_in(folder.path(), "model.safetensors") == "s");
  BOOST_TEST(run_record::sum_in(folder.path(), "best.safetensors").empty());
}

BOOST_AUTO_TEST_CASE(who_made_a_model_is_no_part_of_what_its_weights_are) {
  safetensors_file one;
  one.metadata["comodal.plan"] = R"({"steps": 3})";
  safetensors_file other = one;
  one.metadata[model_provenance_key] = R"({"commit": "a"})";
  BOOST_TEST(weights_checksum(one) == weights_checksum(other));
  BOOST_TEST(checksum_of(one) != checksum_of(other));
  other.metadata["comodal.plan"] = R"({"steps": 4})";
  BOOST_TEST(weights_checksum(one) != weights_checksum(other));
}

BOOST_AUTO_TEST_CASE(cases_have_one_sum) {
  const auto sum = app_detail::sum_of({{"a", 1}, {"b", 2}});
  BOOST_TEST(sum == sha256_of("a 1\nb 2\n"));
  BOOST_TEST(sum != app_detail::sum_of({{"a", 1}, {"b", 3}}));
}

}  // namespace comodal::tests
