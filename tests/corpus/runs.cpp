// SPDX-License-Identifier: Apache-2.0
// Models, runs, predictions and scores.
#include "corpus.hpp"

#include <comodal/core/file_lock.hpp>
#include <comodal/nn/checksum.hpp>

#include <sys/stat.h>

#include <cmath>

namespace corpus {

namespace {

// The model in the input's own folder, changed.
std::function<void(const fs::path&)> model(std::function<void(byte_buffer&)> how) {
  return [=](const fs::path& here) {
    fs::copy_file(here / "MODEL", here / "mine.safetensors");
    change(here / "mine.safetensors", how);
  };
}
std::function<void(const fs::path&)> words_of_model(const std::string& from, const std::string& to) {
  return model([=](byte_buffer& b) {
    const auto at = std::search(b.begin(), b.end(), from.begin(), from.end());
    if (at != b.end()) std::copy(to.begin(), to.end(), at);
  });
}

// Masks of the test case in a folder of somebody's own.
void own_masks(const fs::path& here, const std::string& name = "e.nii.gz") {
  fs::create_directories(here / "masks");
  fs::copy(here / "DATA/labelsTs/e.nii.gz", here / "masks" / name);
}

}  // namespace

void add_runs(list& all) {
  const std::vector<std::string> predict_mine{"predict", "HERE/mine.safetensors", "DATA/imagesTs", "OUT"};
  all.kind("flipped bits of a model", predict_mine);
  for (const double share : {0.05, 0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0})
    all.add(comodal::text(share), {"mine.safetensors: "}, model([=](byte_buffer& b) {
              b[8 + static_cast<std::size_t>(share * static_cast<double>(b.size() - 9))] ^= 1;
            }));
  all.kind("models cut short", predict_mine);
  for (const std::size_t left : {0, 7, 8, 100, 3000})
    all.add(std::to_string(left), {"mine.safetensors: "}, model([=](byte_buffer& b) { b.resize(left); }));
  all.add("by a byte", {"mine.safetensors: "}, model([](byte_buffer& b) { b.pop_back(); }))
      .add("a byte too long", {"mine.safetensors: "}, model([](byte_buffer& b) { b.push_back(0); }))
      .add("huge header", {"is no safetensors file, or is cut short"}, model([](byte_buffer& b) { b[5] = 0x7f; }));
  all.kind("numbers of a model that were changed", predict_mine)
      .add("version", {"its check sum is"}, words_of_model("RAS", "LAS"))
      .add("patch", {"its check sum is"}, words_of_model("[8,16,16]", "[8,16,99]"))
      .add("label", {"its check sum is"}, words_of_model("[2]", "[9]"))
      .add("margin", {"its check sum is"}, words_of_model("margin\\\":4", "margin\\\":9"))
      .add("name", {"mine.safetensors: "}, words_of_model("T2", "T9"))
      .add("format", {"is of format 9, this program reads formats 1 to"},
           [](const fs::path& here) { words_of_model("\"comodal.format\":\"2\"", "\"comodal.format\":\"9\"")(here); });
  all.kind("models that are none", {"predict", "HERE/mine.safetensors", "DATA/imagesTs", "OUT"})
      .add("missing", {"mine.safetensors: there is no such file"})
      .add("folder", {"is no folder of a cross-validation"},
           [](const fs::path& here) { fs::create_directory(here / "mine.safetensors"); })
      .add("pipe", {"is a pipe, a socket or a device"},
           [](const fs::path& here) { (void)::mkfifo((here / "mine.safetensors").c_str(), 0600); })
      .add("text", {"is no safetensors file, or is cut short"},
           [](const fs::path& here) { put(here / "mine.safetensors", "weights"); })
      .add("image", {"is no safetensors file, or is cut short"},
           [](const fs::path& here) { fs::copy(place(here, first_image), here / "mine.safetensors"); })
      .add("other arrays", {"is no comodal model (it has no plan in its metadata)"}, [](const fs::path& here) {
        const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  )";
        std::string bytes(8, '\0');
        bytes[0] = static_cast<char>(header.size());
        put(here / "mine.safetensors", bytes + header + std::string(4, '\0'));
      });

  const auto content = [](const std::function<void(comodal::safetensors_file&)>& how, bool checked = true) {
    return [=](const fs::path& here) {
      auto file = comodal::read_safetensors(here / "MODEL");
      how(file);
      if (checked)
        comodal::write_checked_safetensors(here / "mine.safetensors", file);
      else
        comodal::write_safetensors(here / "mine.safetensors", file);
    };
  };
  const auto plan = [=](const std::string& from, const std::string& to) {
    return content([=](comodal::safetensors_file& f) {
      auto& words = f.metadata.at("comodal.plan");
      const auto at = words.find(from);
      if (at != std::string::npos) words.replace(at, from.size(), to);
    });
  };
  const auto weights = [=](float v) {
    return content([=](comodal::safetensors_file& f) {
      for (auto& [name, array] : f.arrays)
        if (array.dtype == "F32" && array.bytes.size() >= 8) std::memcpy(array.bytes.data() + 4, &v, sizeof v);
    });
  };
  for (const bool shown : {false, true}) {
    all.kind(shown ? "models that info refuses" : "models that predict refuses",
             shown ? std::vector<std::string>{"info", "HERE/mine.safetensors"} : predict_mine)
        .add("no check sum", {"mine.safetensors: has no check sum"},
             content([](auto& f) { f.metadata.erase("comodal.checksum"); }, false))
        .add("nan", {"mine.safetensors: array '", "holds NaN or infinite values"}, weights(std::nanf("")))
        .add("infinite", {"mine.safetensors: array '", "holds NaN or infinite values"}, weights(1e38F * 1e10F))
        .add("an array less", {"mine.safetensors: the file has no array '"},
             content([](auto& f) { f.arrays.erase(f.arrays.begin()); }))
        .add("an array of another type", {"mine.safetensors: array '", "is I64, expected F32"}, content([](auto& f) {
               for (auto& [name, array] : f.arrays)
                 if (array.dtype == "F32") array.dtype = "I64", array.bytes.resize(2 * array.bytes.size());
             }))
        .add("window", {"mine.safetensors: ", "patch_size"}, plan("[8,16,16]", "[1024,1024,1024]"))
        .add("another network", {"mine.safetensors: array '", "the network's parameter is"},
             plan("\"stream_channels\":[2,4]", "\"stream_channels\":[3,4]"))
        .add("an encoder that nobody has", {"mine.safetensors: ", "this program has no "},
             plan("\"encoder\":\"", "\"encoder\":\"x"))
        .add("empty name", {"mine.safetensors: its plan is damaged", "a modality has an empty name"},
             plan("\"T2\"", "\"\""));
  }

  all.kind("images to predict", {"predict", "MODEL"})
      .call("file of another name", {first_label, "OUT"},
            {"expected a folder of images, or an image named CASE_0000.nii.gz"})
      .call("data set", {"DATA", "OUT"}, {"is a data set; name one of its folders of images, such as"})
      .call("empty folder", {"HERE/none", "OUT"}, {"holds no image CASE_0000.nii.gz"},
            [](const fs::path& here) { fs::create_directory(here / "none"); })
      .call("hidden files only", {"HERE/none", "OUT"}, {"holds no image CASE_0000.nii.gz"},
            [](const fs::path& here) { put(here / "none/._a_0000.nii.gz", "x"); })
      .call("both endings", {"DATA/imagesTs", "OUT"}, {"and e_0001.nii; take one ending for all files"},
            [](const fs::path& here) {
              const auto packed = here / "DATA/imagesTs/e_0001.nii.gz";
              comodal::write_file(here / "DATA/imagesTs/e_0001.nii", comodal::gunzip(comodal::read_file(packed), "x"));
              fs::remove(packed);
            })
      .call("no such case", {"DATA/imagesTs", "OUT", "--cases", "e,g"}, {"has no case 'g'; did you mean '"})
      .call("other modalities", {"DATA/imagesTs", "OUT"},
            {"the images beside it have the modalities T2, T1, the model expects T1, T2 in this order"},
            [](const fs::path& here) {
              replace(here / "DATA/dataset.json", "\"T1\"", "\"T0\"");
              replace(here / "DATA/dataset.json", "\"T2\"", "\"T1\"");
              replace(here / "DATA/dataset.json", "\"T0\"", "\"T2\"");
            })
      .call("image and another case", {"DATA/imagesTs/e_0000.nii.gz", "OUT", "--cases", "f"},
            {"is an image of case e; name its folder to segment others"})
      .call("no such image", {"DATA/imagesTs/e.nii.gz", "OUT"},
            {"there is no such folder of images, and no such image"})
      .call("weights", {"DATA/imagesTs", "OUT", "--weights", "teacher"}, {"has no weights 'teacher', but: "})
      .call("somebody's masks", {"DATA/imagesTs", "DATA/labelsTr"},
            {"which `predict` did not write; name a new folder"});
  const auto broken = [](const std::function<void(const fs::path&)>& how) {
    return [=](const fs::path& here) { how(here / "DATA/imagesTs/e_0001.nii.gz"); };
  };
  all.kind("a broken case among others", {"predict", "MODEL", "DATA/imagesTs", "OUT"})
      .add("cut short", {"OUT: 1 case, 1 failed, outputs: fused", "e_0001.nii.gz: damaged gzip file"},
           broken([](const fs::path& f) { fs::resize_file(f, 500); }))
      .add("nan", {"OUT: 1 case", " NaN and 0 infinite"}, broken([](const fs::path& f) {
             change_values(f, [](auto& v) { v.values[3] = std::numeric_limits<float>::quiet_NaN(); });
           }))
      .add("other grid", {"OUT: 1 case", "is on another grid"}, broken([](const fs::path& f) {
             change_header(f, [](nifti_1_header& h) { h.srow_z[3] += 50, h.qoffset_z += 50; });
           }))
      .add("pipe", {"OUT: 1 case", "is a pipe"},
           broken([](const fs::path& f) { fs::remove(f), (void)::mkfifo(f.c_str(), 0600); }))
      .add("one modality too many", {"OUT: 1 case", "has modality number 0002"},
           [](const fs::path& here) {
             fs::copy(here / "DATA/imagesTs/e_0001.nii.gz", here / "DATA/imagesTs/e_0002.nii.gz");
           })
      .add("lfs", {"OUT: 1 case", "is a pointer of Git LFS"},
           broken([](const fs::path& f) { put(f, "version https://git-lfs.github.com/spec/v1\n"); }));
  all.kind("names of cases", {"predict", "MODEL", "HERE/named", "OUT"}, 0);
  for (const auto& [name, id] : std::map<std::string, std::string>{{"spaces", "a b (c)"},
                                                                   {"latin-1", "M\xfcller"},
                                                                   {"utf-8", "Größe_脑"},
                                                                   {"newline", "a\nb"},
                                                                   {"quotes", "a'b\"c"},
                                                                   {"html", "a<b>&c"},
                                                                   {"dashes", "--help"},
                                                                   {"formula", "=1+1"},
                                                                   {"backslash", "a\\xFCb"},
                                                                   {"dots", "a.nii.b"},
                                                                   {"long", std::string(200, 'x')},
                                                                   {"longest", std::string(240, 'x')}})
    all.add(name, {"OUT: 1 case, outputs: fused"}, [id](const fs::path& here) {
      fs::create_directory(here / "named");
      for (const char* m : {"_0000.nii.gz", "_0001.nii.gz"})
        fs::copy(here / "DATA/imagesTs" / (std::string("e") + m), here / "named" / (id + m));
    });

  all.kind("masks of anybody", {"evaluate", "HERE/masks", "--labels", "DATA/labelsTs"}, 0)
      .add("second rater", {"masks"}, [](const fs::path& here) { own_masks(here); })
      .add("some cases", {"has no mask of 1 of 2 labelled cases, which are not scored: f"},
           [](const fs::path& here) { own_masks(here); })
      .add("further cases", {"1 of 2 masks have no label and are not scored: z"},
           [](const fs::path& here) { own_masks(here), own_masks(here, "z.nii.gz"); })
      .add("hidden files", {"masks"},
           [](const fs::path& here) {
             own_masks(here), put(here / "masks/._e.nii.gz", "x"), put(here / "masks/.DS_Store", "x");
           })
      .add("with tables of nnU-Net", {"masks"},
           [](const fs::path& here) {
             own_masks(here), put(here / "masks/plans.json", "{}"),
                 fs::copy(here / "DATA/dataset.json", here / "masks/dataset.json");
           })
      .call("tables elsewhere", {"--out", "HERE/tables"}, {"masks"}, [](const fs::path& here) { own_masks(here); });
  all.kind("masks that cannot be scored", {"evaluate", "HERE/masks", "--labels", "DATA/labelsTs"})
      .add("no folder", {"masks: there is no such folder of masks"})
      .add("none", {"it holds no mask"}, [](const fs::path& here) { fs::create_directory(here / "masks"); })
      .add("other names", {"no mask has a label in", "both must have the same names"},
           [](const fs::path& here) { own_masks(here, "case_1.nii.gz"); })
      .add("no classes", {"name a dataset.json with --dataset"},
           [](const fs::path& here) { own_masks(here), fs::remove(here / "DATA/dataset.json"); })
      .call("incomplete", {"--complete"}, {"has no mask of 1 of 2 labelled cases: f"},
            [](const fs::path& here) { own_masks(here); })
      .add("undeclared value",
           {"holds label 9 in 1 voxels; declared are 0, 1, 2 (in ",
            "dataset.json); correct that file, or name the dataset.json of these masks with --dataset"},
           [](const fs::path& here) {
             own_masks(here);
             change_values(here / "masks/e.nii.gz", [](auto& v) { v.values[0] = 9; });
           })
      .add("other grid", {"case e: "},
           [](const fs::path& here) {
             own_masks(here);
             auto v = comodal::read_nifti_labels(here / "masks/e.nii.gz");
             v.geometry.affine[2][3] += 10;
             comodal::write_nifti(here / "masks/e.nii.gz", v);
           })
      .add("cut short", {"e.nii.gz: damaged gzip file"},
           [](const fs::path& here) { own_masks(here), fs::resize_file(here / "masks/e.nii.gz", 100); })
      .add("damaged description", {"predictions.json: is not valid JSON at line 1"},
           [](const fs::path& here) { own_masks(here), put(here / "masks/predictions.json", "{"); })
      .call("labels of a data set", {"--out", "OUT"}, {"it is the folder of a run; name its folder predictions"},
            [](const fs::path& here) { fs::create_directories(here / "masks/predictions"); })
      .call("no such labels", {"--labels", "HERE/nowhere"}, {"--labels"},
            [](const fs::path& here) { own_masks(here); });

  const std::vector<std::string> resume{"train", "HERE/tiny.toml", "HERE/run", "--data.folder", "DATA", "--resume"};
  all.kind("runs that cannot go on", resume)
      .call("other steps", {"--train.steps", "9"},
            {"the run was begun with train.steps = 2, now it would be train.steps = 9"})
      .call("other method", {"--method.name", "mean_teacher"}, {"the run was begun with method.name = \"supervised\""})
      .add("other images", {"case a has changed its images, their grid or its label since the run was begun"},
           [](const fs::path& here) { change_values(place(here, first_image), [](auto& v) { v.values[50] += 3; }); })
      .add("other labels", {"case a has changed its images, their grid or its label"},
           [](const fs::path& here) { change_values(place(here, first_label), [](auto& v) { v.values[9] = 1; }); })
      .add("other grid", {"case a has changed its images, their grid or its label"},
           [](const fs::path& here) {
             for (const auto& file : {first_image, second_image, first_label})
               change_header(place(here, file),
                             [](nifti_1_header& h) { h.srow_z[2] *= 1.001F, h.pixdim[3] *= 1.001F; });
           })
      .add("a case less", {"has gone since the run was begun"},
           [](const fs::path& here) { fs::remove(here / "DATA/labelsTr/c.nii.gz"); })
      .add("no settings", {"experiment.toml: is missing beside a checkpoint"},
           [](const fs::path& here) { fs::remove(here / "run/experiment.toml"); })
      .add("damaged checkpoints", {"checkpoint.previous.safetensors: is damaged"},
           [](const fs::path& here) {
             for (const char* name : {"run/checkpoint.safetensors", "run/checkpoint.previous.safetensors"})
               change(here / name, [](byte_buffer& b) { b.back() ^= 4; });
           })
      .add("damaged settings", {"experiment.toml:1: is no valid TOML"},
           [](const fs::path& here) { put(here / "run/experiment.toml", "steps =\n"); })
      .add("a file in its place", {"run: "},
           [](const fs::path& here) { fs::remove_all(here / "run"), put(here / "run", "x"); });
  all.kind("runs that go on", resume, 0)
      .add("finished", {"step 2 of 2"})
      .add("damaged checkpoint",
           {"is damaged: its check sum is", "the run goes on from the checkpoint before it", "step 2 of 2"},
           [](const fs::path& here) {
             change(here / "run/checkpoint.safetensors", [](byte_buffer& b) { b.back() ^= 4; });
           })
      .add("half-written files", {"step 2 of 2"},
           [](const fs::path& here) { put(here / "run/model.safetensors.partial-1-0", "half"); })
      .add("half a line in the log", {"step 2 of 2"},
           [](const fs::path& here) {
             change(here / "run/log.csv", [](byte_buffer& b) { b.insert(b.end(), {'2', ',', 'l', 'o', 's', 's'}); });
           })
      .call("folder of any bytes", {"--data.folder", "HERE/f\xe9"}, {"step 2 of 2"},
            [](const fs::path& here) {
              fs::copy(here / "DATA", here / "f\xe9", fs::copy_options::recursive);
              change(here / "run/experiment.toml", [&](byte_buffer& b) {
                std::string words(b.begin(), b.end());
                const auto at = words.find("folder = \"");
                words.replace(at, words.find('\n', at) - at, "folder = \"f\\\\xE9\"");
                b = bytes_of(words);
              });
            })
      .add("no log", {"step 2 of 2"},
           [](const fs::path& here) { fs::remove(here / "run/log.csv"), fs::remove(here / "run/log.jsonl"); });

  const auto write_to = [&](const std::string& name, const std::string& words,
                            const std::function<void(const fs::path&)>& make) {
    all.call("rank, " + name, {"rank", "MODEL", "DATA", "--out", "HERE/x.csv"}, {words},
             [=](const fs::path& here) { make(here / "x.csv"); });
    all.call("report, " + name,
             {"report", "HERE/masks", "--labels", "DATA/labelsTs", "--images", "DATA/imagesTs", "--out", "HERE/x.html"},
             {words}, [=](const fs::path& here) { own_masks(here), make(here / "x.html"); });
    all.call("benchmark, " + name, {"benchmark", "--config", "HERE/tiny.toml", "--json", "HERE/x.json"}, {words},
             [=](const fs::path& here) { make(here / "x.json"); });
  };
  all.kind("files that another program wrote", {})
      .call("html",
            {"report", "HERE/masks", "--labels", "DATA/labelsTs", "--images", "DATA/imagesTs", "--out", "HERE/x.html"},
            {"x.html: is a file that `report` did not write; name another"},
            [](const fs::path& here) { own_masks(here), put(here / "x.html", "<html>mine</html>"); })
      .call(
          "an experiment file for a report",
          {"report", "HERE/masks", "--labels", "DATA/labelsTs", "--images", "DATA/imagesTs", "--out", "HERE/tiny.toml"},
          {"tiny.toml': expected a file that ends in .html"}, [](const fs::path& here) { own_masks(here); })
      .call("dataset.json", {"rank", "MODEL", "DATA", "--out", "DATA/dataset.json"},
            {"dataset.json: is a file that `rank` did not write"})
      .call("csv", {"rank", "MODEL", "DATA", "--out", "HERE/x.csv"}, {"x.csv: is a file that `rank` did not write"},
            [](const fs::path& here) { put(here / "x.csv", "case,score\n"); })
      .call("progress", {"rank", "MODEL", "DATA", "--out", "HERE/x.csv"}, {"x.csv.progress: is a file that `rank`"},
            [](const fs::path& here) { put(here / "x.csv.progress", "mine"); })
      .call("times", {"benchmark", "--config", "HERE/tiny.toml", "--json", "DATA/dataset.json"},
            {"dataset.json: is a file that `benchmark` did not write"})
      .call("tables", {"evaluate", "HERE/masks", "--labels", "DATA/labelsTs", "--out", "HERE/tables"},
            {"tables: holds a scores.csv of another program"},
            [](const fs::path& here) { own_masks(here), put(here / "tables/scores.csv", "mine\n"); })
      .call("description", {"predict", "MODEL", "DATA/imagesTs", "OUT"},
            {"predictions.json: is a file that `predict` did not write"},
            [](const fs::path& here) { put(here / "OUT/predictions.json", "{\"mine\": 1}"); })
      .call("masks of a branch", {"predict", "MODEL", "DATA/imagesTs", "OUT", "--branches"},
            {"branch_T1: holds e.nii.gz, which `predict` did not write"},
            [](const fs::path& here) { put(here / "OUT/branch_T1/e.nii.gz", "mine"); })
      .call("a data set", {"predict", "MODEL", "DATA/imagesTs", "DATA"},
            {"DATA: is a data set; name a folder of its own"})
      .call("a run", {"predict", "MODEL", "DATA/imagesTs", "HERE/run"},
            {"run: is the folder of a run; name a folder of its own for the masks, such as"})
      .call("scored against themselves", {"evaluate", "DATA/labelsTs", "--labels", "HERE/DATA/labelsTs"},
            {"its masks would be scored against themselves"});

  all.kind("files to write that are none", {});
  write_to("device", "cannot be written: it is a pipe, a socket or a device; name a file",
           [](const fs::path& f) { fs::create_symlink("/dev/null", f); });
  write_to("pipe", "it is a pipe, a socket or a device", [](const fs::path& f) { (void)::mkfifo(f.c_str(), 0600); });
  write_to("folder", "it is a folder; name a file", [](const fs::path& f) { fs::create_directory(f); });
  write_to("link to itself", "cannot be written: ", [](const fs::path& f) { fs::create_symlink(f.filename(), f); });
  write_to("link into nowhere", "there is no folder /nowhere",
           [](const fs::path& f) { fs::create_symlink("/nowhere/x", f); });

  all.kind("output on a full disk", {}, 1)
      .call("help", {"train", "--help"}, {"the output cannot be written (No space left on device)"})
      .call("version", {"--version"}, {"the output cannot be written"})
      .call("check", {"check", "DATA"}, {"the output cannot be written (No space left on device)"})
      .call("info", {"info"}, {"the output cannot be written"})
      .call("info of a model", {"info", "MODEL"}, {"the output cannot be written"})
      .call("train", {"train", "HERE/tiny.toml", "OUT", "--data.folder", "DATA"}, {"the output cannot be written"})
      .call("predict", {"predict", "MODEL", "DATA/imagesTs", "OUT"}, {"the output cannot be written"})
      .call("evaluate", {"evaluate", "HERE/masks", "--labels", "DATA/labelsTs", "--out", "OUT"},
            {"the output cannot be written"}, [](const fs::path& here) { own_masks(here); });
  for (auto& one : all.inputs)
    if (one.kind == "output on a full disk") one.full_output = true;
}

}  // namespace corpus
