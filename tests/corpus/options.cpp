// SPDX-License-Identifier: Apache-2.0
// Experiment files and the command line.
#include "corpus.hpp"

namespace corpus {

void add_options(list& all) {
  const std::vector<std::string> train{"train", "HERE/tiny.toml", "OUT", "--data.folder", "DATA"};
  const auto toml = [](const std::string& words) {
    return [words](const fs::path& here) { put(here / "tiny.toml", words); };
  };
  all.kind("experiment files that are no TOML", train)
      .add("no value", {"tiny.toml:1: is no valid TOML: 'steps ="}, toml("steps =\n"))
      .add("no equals sign", {"tiny.toml:2: is no valid TOML: 'steps 10'"}, toml("[train]\nsteps 10\n"))
      .add("open table", {"is no valid TOML"}, toml("[train\nsteps = 10\n"))
      .add("open text", {"is no valid TOML"}, toml("[method]\nname = \"supervised\n"))
      .add("twice", {"is no valid TOML"}, toml("[train]\nsteps = 1\nsteps = 2\n"))
      .add("zeros", {"is no valid TOML"}, toml(std::string(100, '\0')))
      .add("latin-1", {"tiny.toml:2: is no valid TOML: it has a control character, or a letter that is no UTF-8"},
           toml("[data]\nfolder = 'M\xfcller'\n"))
      .add("yaml", {"is no valid TOML"}, toml("train:\n  steps: 10\n"))
      .add("json", {"is no valid TOML"}, toml("{\"train\": {\"steps\": 10}}\n"));
  all.kind("experiment files that are none", train)
      .add("missing", {"tiny.toml: there is no such experiment file"},
           [](const fs::path& here) { fs::remove(here / "tiny.toml"); })
      .add("folder", {"tiny.toml: is a folder, expected a file"},
           [](const fs::path& here) {
             fs::remove(here / "tiny.toml");
             fs::create_directory(here / "tiny.toml");
           })
      .add("pipe", {"is a pipe, a socket or a device"},
           [](const fs::path& here) {
             fs::remove(here / "tiny.toml");
             fs::create_symlink("/dev/zero", here / "tiny.toml");
           })
      .add("image", {"is no valid TOML"}, [](const fs::path& here) {
        fs::copy_file(place(here, first_image), here / "tiny.toml", fs::copy_options::overwrite_existing);
      });
  all.add("dead link", {"there is no such experiment file"}, [](const fs::path& here) {
    fs::remove(here / "tiny.toml");
    fs::create_symlink("nowhere.toml", here / "tiny.toml");
  });
  std::string dotted = "a", tables, inline_tables;
  for (int i = 0; i < 50000; ++i) dotted += ".a", tables += "{a=";
  all.kind("deeply nested TOML", train)
      .add("lists", {"nested deeper than 32 levels"}, toml("x = " + std::string(100000, '[') + "\n"))
      .add("closed lists", {"nested deeper than 32 levels"},
           toml("x = " + std::string(50000, '[') + std::string(50000, ']') + "\n"))
      .add("keys", {"nested deeper than 32 levels"}, toml(dotted + " = 1\n"))
      .add("tables", {"nested deeper than 32 levels"}, toml("[" + dotted + "]\n"))
      .add("inline tables", {"nested deeper than 32 levels"}, toml("x = " + tables + "\n"))
      .call("command line", {"--train.steps", std::string(50000, '[')}, {"train.steps is not a whole number"});

  const auto set = [&](const std::string& key, const std::string& value, std::vector<std::string> words) {
    all.call(key + " " + value.substr(0, 30), {"--" + key, value}, std::move(words));
  };
  all.kind("values of another kind", train);
  set("train.steps", "many", {"train.steps is not a whole number"});
  set("train.steps", "1.5", {"train.steps is not a whole number"});
  set("train.steps", "[3]", {"train.steps is not a whole number"});
  set("optimiser.learning_rate", "fast", {"optimiser.learning_rate is not a number"});
  set("model.branches", "1", {"model.branches is not true or false"});
  set("batch.patch_size", "[16, 16]", {"batch.patch_size is not a list of 3"});
  set("method.name", "7", {"method.name is not a text in quotes"});
  set("model.strides", "[2, 2, 2]", {"model.strides is not a list"});
  all.kind("numbers that 64 bits do not hold", train);
  for (const std::string key :
       {"train.steps", "train.seed", "train.log_every", "prefetch.depth", "data.margin", "train.checkpoint_every"})
    set(key, "99999999999999999999999", {key + " is not a whole number of at most 18 digits"});
  set("optimiser.learning_rate", "99999999999999999999999", {"optimiser.learning_rate is not a number"});
  all.kind("numbers out of range", train);
  for (const auto& [key, value, expected] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"optimiser.learning_rate", "-0.01", "above 0"},
           {"optimiser.learning_rate", "nan", "above 0"},
           {"optimiser.learning_rate", "1e300", "up to 1e+38"},
           {"optimiser.momentum", "1.5", "less than 1"},
           {"optimiser.clip", "inf", "0 to 1e+06"},
           {"optimiser.epsilon", "0", "above 0"},
           {"train.steps", "0", "1 to 4294967295"},
           {"train.steps", "-5", "1 to 4294967295"},
           {"train.seed", "-1", "0 or more"},
           {"train.memory", "1e300", "0 (no limit) to"},
           {"prefetch.depth", "100000", "1 to 1024"},
           {"data.margin", "-1", "0 to 8192"},
           {"data.spacing", "[1, -1, 1]", "0 (voxels as they are) to 1000"},
           {"batch.patch_size", "[4194304, 4194304, 4194304]", "from 1 to 1024 voxels"},
           {"batch.patch_size", "[-16, 16, 8]", "from 1 to 1024 voxels"},
           {"model.stream_channels", "[-2, 4]", "expected"},
           {"compute.threads", "100000", "to 1024"}})
    set(key, value, {key.substr(key.rfind('.') + 1), "expected ", expected});
  all.kind("options of a method out of range", train);
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{{"ema_decay", "2"},
                                                                                   {"ema_decay", "-0.1"},
                                                                                   {"consensus", "nan"},
                                                                                   {"consensus", "-1"},
                                                                                   {"ramp", "inf"},
                                                                                   {"counted_voxels", "-3"}})
    all.call(key + " " + value,
             {"--method.name", "contrastive_mutual_learning", "--method.contrastive_mutual_learning." + key, value},
             {"method.contrastive_mutual_learning." + key, "expected "});
  all.kind("keys that there are not", train);
  for (const auto& [key, hint] :
       std::vector<std::pair<std::string, std::string>>{{"train.stesp", "did you mean 'train.steps'"},
                                                        {"train.epochs", "the length of a run is 'train.steps'"},
                                                        {"epochs", "'train.steps'"},
                                                        {"train.max_epochs", "'train.steps'"},
                                                        {"lr", "the key is 'optimiser.learning_rate'"},
                                                        {"batch_size", "batch.labelled and batch.unlabelled"},
                                                        {"train.batch_size", "batch.labelled"},
                                                        {"seed", "the key is 'train.seed'"},
                                                        {"fold", "the key is 'data.fold'"},
                                                        {"train.device", "the option --device N"},
                                                        {"train.num_workers", "the key is 'prefetch.threads'"},
                                                        {"data.path", "the key is 'data.folder'"},
                                                        {"data.root", "the key is 'data.folder'"},
                                                        {"data.num_classes", "the \"labels\" of dataset.json"},
                                                        {"model.depth", "'model.stream_channels' has entries"},
                                                        {"model.name", "'model.preset'"},
                                                        {"loss.name", "'loss.segmentation'"},
                                                        {"method.alpha", "such as [method.mean_teacher]"},
                                                        {"augment.rotate", "'augment.rotation_degrees'"},
                                                        {"train", "'train' is a table: write [train]"}})
    set(key, "3", {"there is no key '" + key + "'", hint});

  all.add("table of tables", {"'train' is a table: write [train]"}, toml("[[train]]\nsteps = 3\n"))
      .add("long key", {"aaa...'; --help lists all keys"}, toml(std::string(100000, 'a') + " = 1\n"));
  all.kind("several bad values", train)
      .add("of one table", {"tiny.toml:2: train.steps = 0, expected", "tiny.toml:3: train.log_every"},
           toml("[train]\nsteps = 0\nlog_every = -1\n"))
      .add("of several",
           {"tiny.toml:2: optimiser.learning_rate = -1", "tiny.toml:4: augment.mix_side", "tiny.toml:6: data.margin"},
           toml("[optimiser]\nlearning_rate = -1\n[augment]\nmix_side = 7\n[data]\nmargin = -3\n"))
      .call("file and command line", {"--train.seed", "-4"},
            {"tiny.toml:2: train.steps = 0", "command line: train.seed = -4"}, toml("[train]\nsteps = 0\n"))
      .add("of a method", {"tiny.toml:4: method.mean_teacher.ema_decay = 3", "tiny.toml:6: train.steps = 0"},
           toml("[method]\nname = \"mean_teacher\"\n[method.mean_teacher]\nema_decay = 3\n[train]\nsteps = 0\n"))
      .add("kinds and values",
           {"tiny.toml:2: train.steps is not a whole number", "tiny.toml:3: there is no key 'train.sed'",
            "tiny.toml:4: train.log_every = -2"},
           toml("[train]\nsteps = \"x\"\nsed = 3\nlog_every = -2\n"))
      .add("zero byte", {"tiny.toml:2: data.folder is not a text in quotes"}, toml("[data]\nfolder = \"a\\u0000b\"\n"))
      .call("control characters", {"--data.labelled", "[\"a\\u001b[31m\"]"}, {"has no training case a\\x1B[31m"});
  all.kind("sizes that no machine holds", train);
  set("batch.patch_size", "[1024, 1024, 1024]",
      {"command line: batch.patch_size: 1.07374e+09 voxels, expected at most 512 x 512 x 512"});
  const std::string too_large = "GiB of memory; make it smaller";
  all.call("crops", {"--batch.labelled", "4096", "--batch.patch_size", "[512, 512, 512]"}, {too_large})
      .call("channels", {"--model.stream_channels", "[60000, 4]", "--batch.patch_size", "[256, 256, 256]"}, {too_large})
      .call("one axis", {"--batch.unlabelled", "4000", "--batch.patch_size", "[1024, 128, 128]"}, {too_large})
      .call("of a file", {}, {"tiny.toml:2: batch.patch_size: 1.07374e+09 voxels"},
            toml("[batch]\npatch_size = [1024, 1024, 1024]\n"));
  all.kind("values of the command line", {})
      .call("volume to time", {"benchmark", "--work", "predict", "--volume", "2048", "2048", "2048"},
            {"--volume: its images and probabilities take 192 GiB"})
      .call("seed", {"phantom", "OUT", "--seed", "-1"}, {"'-1', expected a whole number"})
      .call("seed that is no number", {"phantom", "OUT", "--seed", "1e3"}, {"'1e3', expected a whole number"})
      .call("value of the phantom", {"phantom", "OUT", "--phantom.test", "-3"}, {"command line: phantom.test = -3"})
      .call("axis twice", {"predict", "MODEL", "DATA/imagesTs", "OUT", "--mirror", "i", "--mirror", "i"},
            {"mirror: 'i' is named twice"})
      .call("masks twice", {"evaluate", "DATA/labelsTr", "DATA/labelsTr", "--labels", "DATA/labelsTs"},
            {"is named twice"});
  all.kind("names that are empty", {})
      .call("experiment", {"train", "", "OUT"}, {"expected a name, found an empty one"})
      .call("folder", {"predict", "MODEL", "DATA/imagesTs", ""}, {"folder: expected a name, found an empty one"})
      .call("images", {"predict", "MODEL", "", "OUT"}, {"images: expected a name"})
      .call("labels", {"evaluate", "DATA/labelsTr", "--labels", ""}, {"--labels: expected a name"})
      .call("data set", {"check", ""}, {"expected a name"})
      .call("report", {"report", "HERE/run", "--labels", "DATA/labelsTs", "--images", "DATA/imagesTs", "--out", ""},
            {"--out: expected a name"});
  all.kind("words of the command line", {})
      .call("nothing", {}, {"a command is missing, one of phantom, check"})
      .call("no such command", {"trian", "x"}, {"there is no command 'trian'; did you mean 'train'?"})
      .call("no folder", {"train", "HERE/tiny.toml"}, {"train: missing: folder; see comodal train --help"})
      .call("value missing", {"train", "HERE/tiny.toml", "OUT", "--train.steps"}, {"--train.steps: a value is missing"})
      .call("word too many", {"train", "HERE/tiny.toml", "OUT", "more"}, {"'more': not expected here"})
      .call("step of windows", {"predict", "MODEL", "DATA/imagesTs", "OUT", "--step", "7"}, {"--step"})
      .call("step that is no number", {"predict", "MODEL", "DATA/imagesTs", "OUT", "--step", "nan"},
            {"'nan', expected a number from 0.05 to 1"})
      .call("threads", {"predict", "MODEL", "DATA/imagesTs", "OUT", "--threads", "-1"},
            {"'-1', expected a number from 0 to 1e+06"})
      .call("memory", {"train", "HERE/tiny.toml", "OUT", "--memory", "nan"},
            {"'nan', expected a number from 0 to 1e+06"})
      .call("axis", {"predict", "MODEL", "DATA/imagesTs", "OUT", "--mirror", "q"}, {"--mirror"})
      .call("convention", {"evaluate", "DATA/labelsTr", "--labels", "DATA/labelsTr", "--hd95", "mine"}, {"--hd95"});
  all.kind("folders that are none", {})
      .call("check", {"check", "HERE/nowhere"}, {"there is no such folder"})
      .call("check a file", {"check", first_image}, {"is of no layout that this program reads"})
      .call("check an empty folder", {"check", "HERE/empty"},
            {"is of no layout that this program reads (decathlon, nnunet-raw, brats, case-list, case-folders)"},
            [](const fs::path& here) { fs::create_directory(here / "empty"); })
      .call("check by patterns", {"check", "HERE/nowhere", "--images", "t1=*"}, {"there is no such folder"})
      .call("import", {"import", "HERE/nowhere", "OUT"}, {"source = '", "there is no such folder"})
      .call("import into a used folder", {"import", "DATA", "DATA"}, {"is not empty; name a new folder"})
      .call("import by a wrong pattern", {"import", "DATA", "OUT", "--images", "t1=*_zz*", "--classes", "x=1"},
            {"'*_zz*' (t1) fits no file in", "its first folder holds a_0000.nii.gz"})
      .call("import with wrong classes", {"import", "DATA", "OUT", "--classes", "x=one"},
            {"'x=one', expected label values"})
      .call("a list that is none", {"check", "HERE/cases.csv"}, {"cases.csv: line 2: a quotation mark is not closed"},
            [](const fs::path& here) { put(here / "cases.csv", "case,t1\na,\"x\n"); })
      .call("train", {"train", "HERE/tiny.toml", "OUT", "--data.folder", "HERE/nowhere"}, {"there is no such folder"})
      .call("train into a file", {"train", "HERE/tiny.toml", "HERE/tiny.toml/run", "--data.folder", "DATA"},
            {"tiny.toml/run: cannot be written", "is no folder); name another place"})
      .call("train into proc", {"train", "HERE/tiny.toml", "/proc/comodal/run", "--data.folder", "DATA"},
            {"/proc/comodal/run: ", "name another place"})
      .call("train into a used folder", {"train", "HERE/tiny.toml", "DATA", "--data.folder", "DATA"},
            {"exists already; name a new folder, or continue with --resume"})
      .call("phantom", {"phantom", "/proc/comodal"}, {"/proc/comodal"})
      .call("predict", {"predict", "MODEL", "HERE/nowhere", "OUT"}, {"nowhere: there is no such folder of images"})
      .call("predict into proc", {"predict", "MODEL", "DATA/imagesTs", "/proc/comodal/p"},
            {"/proc/comodal/p: this folder cannot be made"});
}

}  // namespace corpus
