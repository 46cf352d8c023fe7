// SPDX-License-Identifier: Apache-2.0
// dataset.json, lists of cases, partial labels, and what a data set does not teach.
#include "corpus.hpp"

namespace corpus {

void add_datasets(list& all) {
  const std::vector<std::string> check{"check", "DATA"},
      train{"train", "HERE/tiny.toml", "OUT", "--data.folder", "DATA"};
  const auto json = [](const std::string& words) {
    return [words](const fs::path& here) { put(here / "DATA/dataset.json", words); };
  };
  const auto instead = [](const std::string& from, const std::string& to) {
    return [=](const fs::path& here) { replace(here / "DATA/dataset.json", from, to); };
  };

  all.kind("dataset.json that is no JSON", check)
      .add("empty", {"dataset.json: is not valid JSON at line 1, column 1: the file ends too early"}, json(""))
      .add("cut short", {"the file ends too early"}, json("{\"channel_names\": {\"0\": \"T1\""))
      .add("comma missing", {"is not valid JSON at line 2, column "},
           json("{\"channel_names\": {\"0\": \"T1\"}\n \"labels\": {}}"))
      .add("single quotes", {"is not valid JSON at line 1, column 2"}, json("{'channel_names': 1}"))
      .add("comment", {"is not valid JSON at line 1, column 1"}, json("// a comment\n{}"))
      .add("latin-1", {"is not valid JSON"}, json("{\"channel_names\": {\"0\": \"M\xfcller\"}}"))
      .add("deeply nested", {"is not valid JSON"}, json(std::string(200000, '[')))
      .add("number too large", {"is not valid JSON"}, json("{\"numTraining\": 1e999}"));
  all.kind("modalities in dataset.json", check)
      .add("missing", {"has no modalities; expected \"channel_names\""}, instead("channel_names", "channels"))
      .add("old version", {"has \"modality\" (nnU-Net version 1 or Medical Segmentation Decathlon)"},
           instead("channel_names", "modality"))
      .add("list", {"\"channel_names\" must be an object"},
           instead("{\"0\": \"T1\", \"1\": \"T2\"}", "[\"T1\", \"T2\"]"))
      .add("gap", {"without gaps"}, instead("\"1\"", "\"2\""))
      .add("from one", {"without gaps"}, instead("\"0\"", "\"2\""))
      .add("twice", {"\"channel_names\": modalities: 'T1' stands there twice"}, instead("\"T2\"", "\"T1\""))
      .add("number", {"names as values"}, instead("\"T2\"", "2"))
      .add("none", {"\"channel_names\" must be an object"}, instead("{\"0\": \"T1\", \"1\": \"T2\"}", "{}"));
  all.kind("labels in dataset.json", check)
      .add("missing", {"has no \"labels\""}, instead("\"labels\"", "\"classes\""))
      .add("negative", {"label \"rim\" is -2; expected an integer from 0 to 255"}, instead("\"rim\": 2", "\"rim\": -2"))
      .add("300", {"label \"rim\" is 300; expected an integer from 0 to 255"}, instead("\"rim\": 2", "\"rim\": 300"))
      .add("fraction", {"label \"rim\" is 1.5; expected an integer"}, instead("\"rim\": 2", "\"rim\": 1.5"))
      .add("beyond 64 bits", {"label \"rim\" is "}, instead("\"rim\": 2", "\"rim\": 99999999999999999999"))
      .add("text", {"label \"rim\" is \"2\""}, instead("\"rim\": 2", "\"rim\": \"2\""))
      .add("another value", {"holds label 2 in ", "declared are 0, 1, 5"}, instead("\"rim\": 2", "\"rim\": 5"))
      .add("one value twice", {"label \"rim\" is 1, which \"core\" is, too"}, instead("\"rim\": 2", "\"rim\": 1"))
      .add("no background", {"must hold the background, 0"}, instead("\"background\": 0, ", ""))
      .add("ignore a class", {"label \"ignore\" is 1, which \"core\" is, too"}, instead("\"rim\": 2", "\"ignore\": 1"))
      .add("ignore a list", {"label \"ignore\" is [2]"}, instead("\"rim\": 2", "\"ignore\": [2]"))
      .add("empty list", {"label \"rim\" is an empty list"}, instead("\"rim\": 2", "\"rim\": []"));
  const auto regions = [](const std::string& order) {
    return [=](const fs::path& here) {
      replace(here / "DATA/dataset.json", "\"core\": 1, \"rim\": 2", "\"whole\": [1, 2], \"rim\": 2");
      if (!order.empty())
        replace(here / "DATA/dataset.json", "\"file_ending\"",
                "\"regions_class_order\": " + order + ", \"file_ending\"");
    };
  };
  all.kind("regions in dataset.json", check)
      .add("no order", {"expected \"regions_class_order\""}, regions(""))
      .add("too few", {"has 1 labels for 2 regions"}, regions("[1]"))
      .add("undeclared", {"7 is no declared label"}, regions("[1, 7]"))
      .add("text", {"must be a list of integers"}, regions("\"1, 2\""))
      .add("wrong order", {"which is not in the same regions"}, regions("[2, 1]"))
      .add("right", {"0 errors"}, regions("[1, 2]"))
      .ends(0);
  all.kind("names in dataset.json", check)
      .add("empty modality", {"a modality has an empty name; name it"}, instead("\"T2\"", "\"\""))
      .add("empty class", {"a class has an empty name; name it"}, instead("\"rim\"", "\"\""))
      .add("control sign", {"the modality 'T\\x002': expected letters, digits"}, instead("\"T2\"", "\"T\\u00002\""))
      .add("two lines", {"the class 'r\\x0Aim': expected letters"}, instead("\"rim\"", "\"r\\nim\""))
      .add("long", {"xxx...': expected a name of at most 100 bytes"},
           instead("\"T2\"", "\"" + std::string(101, 'x') + "\""))
      .add("several faults", {"without gaps", "label \"rim\" is 300", "\"file_ending\" is \".png\""},
           [](const fs::path& here) {
             replace(here / "DATA/dataset.json", "\"0\"", "\"2\"");
             replace(here / "DATA/dataset.json", "\"rim\": 2", "\"rim\": 300");
             replace(here / "DATA/dataset.json", ".nii.gz", ".png");
           });
  all.kind("keys and values of dataset.json", check)
      .add("a label twice", {"has the key \"core\" twice in one object; leave one out"}, instead("\"rim\"", "\"core\""))
      .add("a modality twice", {"has the key \"1\" twice in one object"},
           instead("\"1\": \"T2\"", "\"1\": \"T2\", \"1\": \"T3\""))
      .add("background in a region", {"label \"whole\" has 0, the background, in its list"},
           instead("\"rim\": 2", "\"rim\": 2, \"whole\": [0, 1, 2]"))
      .add("a value twice in a region", {"label \"whole\" has 1 twice in its list"},
           instead("\"rim\": 2", "\"rim\": 2, \"whole\": [1, 2, 1]"))
      .add("no ending", {"has no \"file_ending\"; expected"}, instead("\"file_ending\"", "\"ending\""))
      .add("a list", {"dataset.json: is no object; expected"}, json("[]"))
      .add("nothing", {"dataset.json: is no object; expected"}, json("null"));
  all.kind("what a data set declares and lacks", check, 0)
      .add("modality", {"warning: ", "declares the modality 'T3', which no case of imagesTr has"},
           instead("\"1\": \"T2\"", "\"1\": \"T2\", \"2\": \"T3\""))
      .add("modality of tests", {"declares the modality 'T2', which no case of imagesTr has"},
           [](const fs::path& here) {
             for (const char* id : {"a", "b", "c", "d"})
               fs::remove(here / "DATA/imagesTr" / (std::string(id) + "_0001.nii.gz"));
           })
      .add("labels", {"labelsTr: holds no label CASE.nii.gz, so that no case is labelled"},
           [](const fs::path& here) { fs::remove_all(here / "DATA/labelsTr"); })
      .add("all labels", {"labelsTr: holds no label CASE.nii.gz"},
           [](const fs::path& here) {
             for (const char* id : {"a", "b", "c"}) fs::remove(here / "DATA/labelsTr" / (std::string(id) + ".nii.gz"));
           })
      .add("number of cases", {"\"numTraining\" is 7, but labelsTr holds 3 labels"},
           instead("\"file_ending\"", "\"numTraining\": 7, \"file_ending\""));
  all.kind("endings in dataset.json", check);
  for (const std::string ending : {"\".png\"", "\".mha\"", "\".nrrd\"", "\".NII.GZ\"", "7", "\"\""})
    all.add(ending, {"\"file_ending\" is \"", "expected \".nii.gz\" or \".nii\""}, instead("\".nii.gz\"", ending));

  all.kind("what nothing teaches", train)
      .add("modality", {"no training case has the modality 'T2'"},
           [](const fs::path& here) {
             for (const auto& f : fs::directory_iterator(here / "DATA/imagesTr"))
               if (f.path().filename().string().find("_0001") != std::string::npos) fs::remove(f);
           })
      .add("class", {"no labelled case has a voxel of class 'rim'"},
           [](const fs::path& here) {
             for (const auto& f : fs::directory_iterator(here / "DATA/labelsTr"))
               change_values(f, [](auto& v) {
                 for (float& x : v.values) x = x == 2 ? 0 : x;
               });
           })
      .ends(0)
      .add("declared class", {"no labelled case has a voxel of class 'third'"},
           instead("\"rim\": 2", "\"rim\": 2, \"third\": 3"))
      .ends(0)
      .add("declared modality", {"no training case has the modality 'T3'"},
           instead("\"1\": \"T2\"", "\"1\": \"T2\", \"2\": \"T3\""))
      .add("no label at all", {"has no labelled case to train on"},
           [](const fs::path& here) { fs::remove_all(here / "DATA/labelsTr"); });

  const auto splits = [](const std::string& words) {
    return [words](const fs::path& here) { put(here / "DATA/lists.json", words); };
  };
  const auto named = [&](const std::string& name, std::vector<std::string> words, const std::string& file) {
    all.call(name, {"--data.splits", "lists.json", "--data.labelled", "[\"some\"]"}, std::move(words), splits(file));
  };
  all.kind("lists of cases", train);
  named("no JSON", {"lists.json: is not valid JSON"}, "{");
  named("list", {"expected an object of named lists of case ids"}, "[\"a\"]");
  named("no such list", {"has no list \"some\"; it has few"}, "{\"few\": [\"a\"]}");
  named("number", {"\"some\" is not a list of case ids"}, "{\"some\": 3}");
  named("numbers", {"\"some\" is not a list of case ids"}, "{\"some\": [3]}");
  named("no such case", {"has no training case z"}, "{\"some\": [\"z\"]}");
  named("no label", {"case d has no label"}, "{\"some\": [\"d\"]}");
  all.call("no such file", {"--data.splits", "lists.json", "--data.labelled", "[\"some\"]"},
           {"lists.json: there is no such file"});
  all.call("twice", {"--data.labelled", "[\"a\"]", "--data.validation", "[\"a\"]"},
           {"case a is listed both as labelled and as validation"});
  all.call("twice in a list", {"--data.labelled", "[\"a\", \"b\", \"a\"]"}, {"labelled: case a is named twice"});
  named("several faults", {"lists.json: labelled: ", "has no training case z", "case d has no label"},
        "{\"some\": [\"z\", \"d\"]}");

  all.call("nothing names them", {"--data.splits", "lists.json"}, {"has lists that nothing names; set data.fold"});

  all.kind("folds of nnU-Net", train)
      .call("no file", {"--data.fold", "0"},
            {"splits_final.json: there is no such file, which data.fold needs; name it with data.splits"})
      .call("object", {"--data.fold", "0"}, {"expected a list of folds"},
            [](const fs::path& here) { put(here / "DATA/splits_final.json", "{}"); })
      .call("no such fold", {"--data.fold", "5"}, {"has no fold 5; it has 1 folds, from 0 on"},
            [](const fs::path& here) { put(here / "DATA/splits_final.json", R"([{"train": ["a"], "val": ["b"]}])"); })
      .call("no val", {"--data.fold", "0"}, {"fold 0 has no \"val\""},
            [](const fs::path& here) { put(here / "DATA/splits_final.json", R"([{"train": ["a"]}])"); })
      .call("other cases", {"--data.fold", "0"},
            {"splits_final.json: fold 0: labelled: ", "has no training case case_7"},
            [](const fs::path& here) { put(here / "DATA/splits_final.json", R"([{"train": ["case_7"], "val": []}])"); })
      .call("with lists", {"--data.fold", "0", "--data.labelled", "[\"a\"]"},
            {"leave data.labelled and data.validation out"})
      .call("negative", {"--data.fold", "-2"}, {"data.fold = -2, expected 0 or more"});

  const auto partial = [&](const std::string& name, std::vector<std::string> words, const std::string& file) {
    all.call(name, {"--data.partial", "partial.json"}, std::move(words),
             [file](const fs::path& here) { put(here / "DATA/partial.json", file); });
  };
  all.kind("partial labels", train);
  partial("no JSON", {"partial.json: is not valid JSON"}, "{");
  partial("list", {"partial.json"}, "[]");
  partial("unknown class", {"there is no class 'rinm'; did you mean 'rim'?"}, R"({"a": ["rinm"]})");
  partial("unknown case", {"has no such case; leave it out"}, R"({"z": ["rim"]})");
  partial("empty", {"its list is empty"}, R"({"a": []})");
  partial("background", {"'background' is not listed"}, R"({"a": ["background", "rim"]})");
  partial("number", {"partial.json"}, R"({"a": [1]})");
}

}  // namespace corpus
