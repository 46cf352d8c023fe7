// SPDX-License-Identifier: Apache-2.0
// An image through preparation and a tiny inference, with the mask on its own grid. The first bytes choose the
// preparation and the windows, the others are the file.
#include "fuzz.hpp"

#include <comodal/autograd/autograd.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/data/case_data.hpp>
#include <comodal/data/ct_statistics.hpp>
#include <comodal/data/nifti_write.hpp>
#include <comodal/infer/predict_case.hpp>

using namespace comodal;  // but `index`, which is in the C library, too

namespace {

using B = default_backend;

const std::filesystem::path& place() {
  static const std::filesystem::path folder = [] {
    const char* base = std::getenv("TMPDIR");
    auto path = std::filesystem::path(base != nullptr ? base : "/tmp") / text("comodal-fuzz-", ::getpid());
    std::filesystem::create_directories(path);
    std::atexit([] {
      std::error_code ignored;
      std::filesystem::remove_all(place(), ignored);
    });
    return path;
  }();
  return folder;
}

// Logits x and -x of the mean of the modalities.
network_output<B> forward(const std::vector<variable<B>>& volumes, const presence<B>& present,
                          const forward_request& request) {
  network_output<B> out;
  const auto logits = [](const variable<B>& x) { return concat(std::vector{x, scale(x, -1)}); };
  out.fused = logits(weighted_sum(volumes, present.share()));
  if (request.outputs != network_outputs::fused_only)
    for (const auto& x : volumes) out.branches.push_back(logits(x));
  return out;
}

void look(std::string_view words, unsigned first, unsigned second, const std::filesystem::path& file) {
  case_files files{"x", {file, file, ""}};
  if ((first & 8) != 0) files.images[1] = std::filesystem::path();
  model_plan plan;
  plan.modalities = {"a", "b", "c"};
  plan.labels = {{"background", {0}}, {"one", {1}}};
  plan.prepare.labels = plan.labels;
  plan.prepare.margin = static_cast<comodal::index>((first >> 4) & 3);
  const normalisation* kinds[] = {&normalisation::head, &normalisation::nonzero, &normalisation::ct,
                                  &normalisation::none};
  plan.prepare.normalise = {*kinds[first & 3]};
  const labelled_case labelled{files, image_source(file), {}};
  if (plan.prepare.normalise[0].needs_statistics) {
    plan.prepare.ct.assign(3, ct_statistics{-100, 100, 0, 50});
    fuzz::answered(words, [&] { plan.prepare.ct[0] = ct_statistics_of({labelled}, 0); });
  }
  fuzz::answered(words, [&] { (void)prepare_case(labelled, plan.prepare); });
  const case_data one = prepare_case(files, plan.prepare);
  window_options windows{{1 + static_cast<comodal::index>(second & 7), 8, 8}, (second & 8) != 0 ? 1 : 0.5, {}};
  if ((second & 16) != 0) windows.mirror.push_back(static_cast<int>((second >> 5) % 3));
  static context<B> ctx;
  static tape<B> home(ctx);
  const output_choice wanted{.branches = (first & 64) != 0, .only = true, .uncertainty = (first & 128) != 0};
  for (const auto& result : predict_case<B>(home, plan, one, wanted, windows, forward)) {
    const label_volume mask = restore(result.labels, one.preparation);
    fuzz::expect(mask.geometry.size == one.header.grid.size, "the size of the image");
    for (const auto v : mask.values) fuzz::expect(v < 2, "a class");
    (void)nifti_file_bytes(mask, one.header, "mask");
    if (!result.uncertainty) continue;
    for (const float v : restore(*result.uncertainty, one.preparation).values)
      fuzz::expect(v >= 0 && v <= 1, "an uncertainty from 0 to 1");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view words(reinterpret_cast<const char*>(data), size);
  static const runtime scope(1);
  if (size < 2) return 0;
  const std::span<const unsigned char> bytes(data + 2, size - 2);
  fuzz::answered(words, [&] {
    if (parse_nifti_header(bytes, "input").grid.voxels() > 4096) return;
    const auto file = place() / "x.nii";
    write_file(file, bytes);
    look(words, data[0], data[1], file);
  });
  return 0;
}
