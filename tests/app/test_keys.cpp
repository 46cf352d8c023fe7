// SPDX-License-Identifier: Apache-2.0
// All keys: each has a sentence, the page of the documentation is what the program writes, and so is a first file.
#define BOOST_TEST_MODULE app_keys
#include <boost/test/unit_test.hpp>

#include <comodal/app/init.hpp>
#include <comodal/app/key_table.hpp>

#include <data/files.hpp>

#include <algorithm>
#include <string>

namespace comodal::tests {
namespace {

using backend = mixed_backend;

[[nodiscard]] registry<backend> names() { return registry<backend>::built_in(); }

[[nodiscard]] std::string content_of(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_key_has_a_sentence) {
  const auto known = names();
  app::of_all_keys(known, [](const app::settings& keys) {
    BOOST_TEST(keys.names().size() > 150U);
    for (const auto& key : keys.names()) {
      const std::string& help = keys.help(key);
      BOOST_TEST(help.size() > 8U, key << ": '" << help << "'");
      BOOST_TEST(help.size() < 115U, key << ": " << help.size() << " letters");
      BOOST_TEST(help.find('\n') == std::string::npos, key);
    }
  });
}

BOOST_AUTO_TEST_CASE(sentences_name_every_choice) {
  const auto known = names();
  const auto holds = [](const std::string& help, const std::vector<std::string>& words) {
    for (const auto& word : words) BOOST_TEST(help.find(word) != std::string::npos, word << " is not in: " << help);
  };
  app::of_all_keys(known, [&](const app::settings& keys) {
    for (const char* key : {"model.encoder", "model.fusion", "model.decoder", "optimiser.name", "data.normalise",
                            "loss.segmentation", "loss.consistency", "loss.contrastive"}) {
      // A wrong name is refused with all that there are.
      app::raw_settings raw;
      const std::string table = std::string(key).substr(0, std::string(key).find('.'));
      raw.read_text("[" + table + "]\n" + std::string(key).substr(table.size() + 1) + " = \"xyzzy\"\n", "x");
      try {
        (void)app::experiment::checked(raw, known);
        BOOST_ERROR(key);
      } catch (const config_error& failure) {
        const std::string words = failure.what();
        const auto list = words.find(" It has: ");
        BOOST_REQUIRE_MESSAGE(list != std::string::npos, words);
        std::vector<std::string> choices;
        std::string one;
        for (const char c : words.substr(list + 9) + ",")
          if (c == ',' || c == ';' || c == ' ' || c == '\'' || c == '"') {
            if (!one.empty()) choices.push_back(one);
            one.clear();
            if (c == ';') break;
          } else {
            one += c;
          }
        BOOST_TEST(choices.size() > (table == "loss" ? 0U : 1U));
        holds(keys.help(key), choices);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(the_page_of_the_documentation_is_what_the_program_writes) {
  const auto known = names();
  const std::string page = app::of_all_keys(known, [](const app::settings& keys) { return app::keys_page(keys); });
  BOOST_TEST(page.find("| `steps` | `2000` |") != std::string::npos);
  const std::filesystem::path file = COMODAL_TEST_DATA "/../../docs/reference/keys.md";
  BOOST_TEST((std::filesystem::exists(file) && content_of(file) == page),
             "docs/reference/keys.md is old; write it anew: comodal keys --markdown > docs/reference/keys.md");
}

BOOST_AUTO_TEST_CASE(a_first_file_is_an_experiment_of_defaults) {
  const test::folder folder("init");
  const auto known = names();
  const auto file = folder / "first.toml";
  const std::string words = app::init<backend>({file, "some data", "mean_teacher"}, known);
  BOOST_TEST(content_of(file) == words);
  auto read = app::read_experiment(file, {}, known);
  BOOST_TEST(read.folder == "some data");
  BOOST_TEST(read.method.name == "mean_teacher");
  app::experiment defaults;
  defaults.folder = "some data";
  defaults.method = {"mean_teacher", known.method_options_of("mean_teacher")};
  defaults.take_default_options(known);
  BOOST_TEST(read.keys().resolved() == defaults.keys().resolved());
  // The lines behind a # are keys, too.
  std::string uncommented;
  bool before = false;
  for (std::size_t at = 0; at < words.size();) {
    const auto end = words.find('\n', at);
    std::string line = words.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("# ") && line.find(" = ") != std::string::npos && line.find(": ") == std::string::npos) {
      line.erase(0, 2);
      before = true;
    }
    uncommented += line + "\n";
  }
  BOOST_TEST(before);
  test::write_text(folder / "all.toml", uncommented);
  BOOST_TEST(app::read_experiment(folder / "all.toml", {}, known).keys().resolved() == defaults.keys().resolved());
}

BOOST_AUTO_TEST_CASE(a_first_file_replaces_nothing) {
  const test::folder folder("init");
  const auto known = names();
  test::write_text(folder / "x.toml", "mine");
  BOOST_CHECK_EXCEPTION((void)app::init<backend>({folder / "x.toml", "cohort", ""}, known), config_error,
                        test::says("x.toml: exists already; name a new file"));
  BOOST_TEST(content_of(folder / "x.toml") == "mine");
  BOOST_CHECK_EXCEPTION((void)app::init<backend>({folder / "y.toml", "cohort", "mean_teecher"}, known), config_error,
                        test::says("mean_teacher"));
  BOOST_TEST(!std::filesystem::exists(folder / "y.toml"));
}

BOOST_AUTO_TEST_CASE(keys_are_found_by_name_by_the_names_of_others_and_by_meaning) {
  const auto known = names();
  app::of_all_keys(known, [](const app::settings& keys) {
    using list = std::vector<std::string>;
    BOOST_TEST(app::keys_with(keys, "").keys == keys.names());
    BOOST_TEST(app::keys_with(keys, "learning_rate").keys == list{"optimiser.learning_rate"});
    for (const char* word : {"lr", "LR", "initial_lr"}) {
      BOOST_TEST(app::keys_with(keys, word).keys == list{"optimiser.learning_rate"}, word);
      BOOST_TEST(app::keys_with(keys, word).hint == "the key is 'optimiser.learning_rate'", word);
    }
    BOOST_TEST((app::keys_with(keys, "batch_size").keys == list{"batch.labelled", "batch.unlabelled"}));
    BOOST_TEST(app::keys_with(keys, "patch size").keys == list{"batch.patch_size"});
    const auto meant = app::keys_with(keys, "box").keys;  // in no name
    BOOST_TEST(!meant.empty());
    for (const auto& key : meant) BOOST_TEST(keys.help(key).find("box") != std::string::npos, key);
    BOOST_TEST(app::keys_with(keys, "xyzzy").keys.empty());
    BOOST_TEST(!app::keys_with(keys, "gpu").hint.empty());
  });
}

BOOST_AUTO_TEST_CASE(hints_do_not_point_at_what_is_far) {
  const auto known = names();
  app::of_all_keys(known, [](const app::settings& keys) {
    const auto hint = [&](const char* key) { return app_detail::hint_for(key, keys.names()); };
    BOOST_TEST(hint("initial_lr") == "the key is 'optimiser.learning_rate'");
    BOOST_TEST(hint("optimizer") == "the key is 'optimiser.name'");
    for (const char* key : {"batch_size", "batch.batch_size", "batch.size"})
      BOOST_TEST(std::string(hint(key)).starts_with("batch.labelled and batch.unlabelled say"), key);
    BOOST_TEST(hint("train.stesp") == "did you mean 'train.steps'? (--help lists all keys)");
    BOOST_TEST(hint("xyzzy") == "`comodal keys WORD` finds keys by name and by meaning");
  });
}

BOOST_AUTO_TEST_CASE(choices_are_those_that_are_taken) {
  const auto known = names();
  app::of_all_keys(known, [&](const app::settings& keys) {
    std::size_t chosen = 0;
    for (const auto& key : keys.names())
      for (const auto& word : app::choices_of(key, keys, known)) {
        ++chosen;
        if (key.starts_with("method.") && key != "method.name") continue;  // of methods that are not chosen
        if (key.starts_with("loss.") && std::count(key.begin(), key.end(), '.') > 1) continue;
        BOOST_CHECK_NO_THROW([&] {
          app::raw_settings raw;
          raw.read_overrides({"--" + key, word});
          const auto e = app::experiment::from(raw, known);
          e.network.check();
          known.check_network_names(e.network);
          known.check_optimiser_name(e.optimiser);
          check(e.optimiser);
          for (const auto& name : e.normalise) (void)known.normalisations.at(name);
        }());
      }
    BOOST_TEST(chosen > 60U);
    BOOST_TEST((app::choices_of("model.precision", keys, known) == std::vector<std::string>{"fp32", "tf32", "bf16"}));
    const auto fusion = app::choices_of("model.fusion", keys, known);
    for (const char* name : {"early", "gated", "mean"})
      BOOST_TEST((std::find(fusion.begin(), fusion.end(), name) != fusion.end()), name);
    BOOST_TEST(app::choices_of("train.steps", keys, known).empty());
  });
}

BOOST_AUTO_TEST_CASE(one_entry_is_a_list_of_one) {
  const auto known = names();
  const auto read = [&](const std::vector<std::string>& words) { return app::read_experiment("", words, known); };
  BOOST_TEST(read({"--data.normalise", "ct"}).normalise == std::vector<std::string>{"ct"});
  BOOST_TEST(read({"--data.labelled", "few"}).labelled == std::vector<std::string>{"few"});
  BOOST_TEST((read({"--data.labelled", "a,b"}).labelled == std::vector<std::string>{"a", "b"}));
  BOOST_TEST((read({"--data.labelled", "a, b "}).labelled == std::vector<std::string>{"a", "b"}));
  BOOST_TEST((read({"--data.labelled", "101,102"}).labelled == std::vector<std::string>{"101", "102"}));
  BOOST_TEST((read({"--data.labelled", "101"}).labelled == std::vector<std::string>{"101"}));
  BOOST_TEST((read({"--data.labelled", "[\"a,b\"]"}).labelled == std::vector<std::string>{"a,b"}));
  BOOST_TEST(read({"--batch.patch_size", "64,48,32"}).batch.patch_size[0] == 32);
  BOOST_TEST(read({"--model.fusion_stages", "2"}).network.fusion_stages == std::vector<index>{2});
  BOOST_CHECK_EXCEPTION((void)read({"--model.strides", "2"}), config_error, test::says("model.strides is not a list"));
  BOOST_CHECK_EXCEPTION((void)read({"--model.strides", "2,2,2"}), config_error,
                        test::says("model.strides is not a list"));
  BOOST_CHECK_EXCEPTION((void)read({"--batch.patch_size", "64"}), config_error,
                        test::says("batch.patch_size is not a list of 3"));
}

}  // namespace comodal::tests
