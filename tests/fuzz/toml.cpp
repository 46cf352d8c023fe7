// SPDX-License-Identifier: Apache-2.0
// The words of an experiment file: kinds and values of all keys, and the file that a run keeps of them.
#include "fuzz.hpp"

#include <comodal/app/settings.hpp>
#include <comodal/app/study_file.hpp>
#include <comodal/data/batch.hpp>
#include <comodal/data/prefetch.hpp>
#include <comodal/model/network_options.hpp>
#include <comodal/ssl/contrastive_mutual_learning_options.hpp>
#include <comodal/train/optimiser_options.hpp>
#include <comodal/train/train_options.hpp>

using namespace comodal;  // but `index`, which is in the C library, too

namespace {

// The sections of an experiment that no table of names is needed for.
struct sections {
  network_options network;
  batch_options batch;
  prefetch_options prefetch;
  optimiser_options optimiser;
  train_options train;
  contrastive_mutual_learning_options method;
  std::vector<std::string> labelled;
  std::string folder;

  app::settings keys() {
    app::settings s;
    s.bind("data.folder", folder);
    s.bind("data.labelled", labelled);
    const auto bind = [&](std::string_view prefix) {
      return [&s, prefix](std::string_view name, auto& value, auto) { s.bind(text(prefix, name), value); };
    };
    visit_network_options(network, bind("model."));
    visit_batch_options(batch, bind(""));
    visit_prefetch_options(prefetch, bind(""));
    visit_optimiser_options(optimiser, bind("optimiser."));
    visit_train_options(train, bind("train."));
    contrastive_mutual_learning_options::visit(method, bind("method.contrastive_mutual_learning."));
    return s;
  }
  void check(std::string_view words) const {
    fuzz::answered(words, [&] { network.check(); });
    fuzz::answered(words, [&] { comodal::check(batch); });
    fuzz::answered(words, [&] { comodal::check(prefetch); });
    fuzz::answered(words, [&] { comodal::check(optimiser); });
    fuzz::answered(words, [&] { comodal::check(train); });
    fuzz::answered(words, [&] { method.check(); });
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string words(reinterpret_cast<const char*>(data), size);
  // Made once: binding all keys takes longer than reading them.
  static sections read, again;
  static const app::settings keys = read.keys(), same = again.keys();
  fuzz::answered(words, [&] {
    app::raw_settings raw;
    raw.read_text(words, "input");
    read = sections{};
    again = sections{};
    fuzz::answered(words, [&] {
      keys.apply(raw);
      read.check(words);
      if (words.size() % 8 != 0) return;  // reading all keys again takes ten times as long
      app::raw_settings kept;
      kept.read_text(keys.resolved(), "kept");
      same.apply(kept);
      fuzz::expect(same.resolved() == keys.resolved(), "the file of a run says what it was begun with");
    });
    (void)raw.named_first_in(words);
  });
  fuzz::answered(words, [&] {
    app::raw_settings raw;
    raw.read_overrides({"--train.steps", words, text("--", words)});
  });
  return 0;
}
