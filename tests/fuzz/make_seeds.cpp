// SPDX-License-Identifier: Apache-2.0
// Writes the first inputs of the fuzzers, which stand in tests/fuzz/seeds: fuzz_seeds FOLDER.
#include <comodal/app/settings.hpp>
#include <comodal/data/batch.hpp>
#include <comodal/data/nifti_write.hpp>
#include <comodal/model/model_file.hpp>
#include <comodal/model/network_presets.hpp>
#include <comodal/train/optimiser_options.hpp>
#include <comodal/train/train_options.hpp>

#include <cstdio>

using namespace comodal;  // but `index`, which is in the C library, too

namespace {

const affine3x4 turned{{{-1, 0, 0, 9}, {0, 0, 2, -4}, {0, 1.5, 0, 3}}};

image_volume image(comodal::index side) {
  image_volume v{{{side, side, side}, turned}, {}};
  for (comodal::index i = 0; i < side * side * side; ++i) v.values.push_back(static_cast<float>(i * 7 % 11));
  return v;
}

byte_buffer nifti(comodal::index side) {
  const auto v = image(side);
  return nifti_file_bytes(v, make_nifti_header(v.geometry), "seed");
}

// A NIfTI-1 file of another type of values, of as many volumes, in either byte order.
byte_buffer of_type(short type, std::size_t bytes, short volumes, bool swapped) {
  byte_buffer file = nifti(3);
  nifti_1_header h;
  std::memcpy(&h, file.data(), sizeof h);
  h.datatype = type;
  h.bitpix = static_cast<short>(8 * bytes);
  h.dim[0] = volumes > 1 ? 4 : 3;
  h.dim[4] = volumes;
  h.qform_code = 1;
  h.sform_code = static_cast<short>(swapped ? 0 : 1);
  h.scl_slope = 0.5F;
  h.scl_inter = -3;
  file.resize(352 + 27 * bytes * static_cast<std::size_t>(volumes));
  for (std::size_t i = 352; i < file.size(); ++i) file[i] = static_cast<unsigned char>(i * 37 % 5);
  if (swapped) swap_nifti_header(&h, 1);
  std::memcpy(file.data(), &h, sizeof h);
  return file;
}

byte_buffer second_version() {
  const auto v = image(3);
  auto h = make_nifti_header(geometry{{40000, 1, 1}, turned});  // too long for NIfTI-1
  auto& raw = std::get<nifti_2_header>(h.raw);
  for (int a = 1; a <= 3; ++a) raw.dim[a] = 3;
  h.grid = v.geometry;
  return nifti_file_bytes(v, h, "seed");
}

model_plan plan() {
  model_plan p;
  p.modalities = {"flair", "t1"};
  p.labels = {{"background", {0}}, {"tumour", {1}}};
  p.network = network_preset("unet");
  p.patch_size = {32, 64, 64};
  p.method = "supervised";
  p.predictors = {"ema", "student"};
  return p;
}

std::string all_keys() {
  network_options network;
  batch_options batch;
  optimiser_options optimiser;
  train_options train;
  app::settings s;
  visit_network_options(network,
                        [&](std::string_view name, auto& value, auto) { s.bind(text("model.", name), value); });
  visit_batch_options(batch, [&](std::string_view name, auto& value, auto) { s.bind(std::string(name), value); });
  visit_optimiser_options(optimiser,
                          [&](std::string_view name, auto& value, auto) { s.bind(text("optimiser.", name), value); });
  visit_train_options(train, [&](std::string_view name, auto& value, auto) { s.bind(text("train.", name), value); });
  return s.resolved();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n"), 2;
  const std::filesystem::path to = argv[1];
  for (const char* name : {"nifti", "model", "toml", "predict"}) std::filesystem::create_directories(to / name);
  const auto bytes_of = [](std::string_view words) { return byte_buffer(words.begin(), words.end()); };

  for (const auto& [type, bytes] : std::map<short, std::size_t>{
           {DT_UINT8, 1}, {DT_INT16, 2}, {DT_UINT32, 4}, {DT_INT64, 8}, {DT_FLOAT32, 4}, {DT_FLOAT64, 8}})
    for (const bool swapped : {false, true})
      write_file(to / "nifti" / text("type-", type, swapped ? "-swapped" : ""), of_type(type, bytes, 1, swapped));
  write_file(to / "nifti/volumes", of_type(DT_INT16, 2, 3, false));
  write_file(to / "nifti/second", second_version());
  write_file(to / "nifti/packed", gzip(nifti(3)));
  for (const int choice : {0x80, 0xC1, 0x62, 0x3B}) {
    byte_buffer file = nifti(9);
    file.insert(file.begin(), {static_cast<unsigned char>(choice), static_cast<unsigned char>(choice * 5)});
    write_file(to / "predict" / text("choice-", choice), file);
  }

  safetensors_file model;
  write_plan(plan(), model);
  write_text(to / "model/plan", model.metadata.at("comodal.plan"));
  model.arrays["ema/a.weight"] = named_array::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  model.arrays["step"] = named_array::of<std::int64_t>({}, {7});
  model.metadata["comodal.checksum"] = checksum_of(model);
  write_file(to / "model/whole", safetensors_bytes(model));
  auto regions = plan();
  regions.labels = {{"background", {0}}, {"whole", {1, 2}}, {"core", {2}}};
  regions.region_order = {1, 2};
  regions.prepare.normalise = {normalisation::ct, normalisation::nonzero};
  regions.prepare.ct.assign(2, ct_statistics{-100, 200, 40, 30});
  write_plan(regions, model);
  write_text(to / "model/regions", model.metadata.at("comodal.plan"));

  write_text(to / "toml/all", all_keys());
  write_text(to / "toml/few", "[data]\nfolder = \"a\"\nlabelled = [\"x\", 'y']\n[batch]\npatch_size = [16, 16, 8]\n");
  write_file(to / "toml/odd",
             bytes_of("a.b.c = {x = 1, y = [[1], 2.5e3]} # words\n\"q\\u00e4\" = \"\"\"a\nb\"\"\"\n[[l]]\n"
                      "t = 1979-05-27T07:32:00Z\nn = nan\nh = 0xFF\nb = true\n"));
  write_text(to / "toml/method", "[method.contrastive_mutual_learning]\nema_decay = 0.9\nqueue = 10\n");
  return 0;
}
