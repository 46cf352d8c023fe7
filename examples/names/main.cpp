// SPDX-License-Identifier: Apache-2.0
// A command line of your own: the `comodal` program with a fusion block, an encoder, a loss and a method under names of
// your own. An experiment file and the model files of its runs use them like those of the library (names.toml).
#include "blocks.hpp"
#include "method.hpp"

#include <comodal/cli/run.hpp>

int main(int argc, char** argv) {
  return comodal::cli::run(argc, argv, [](comodal::registry<comodal::mixed_backend>& names) {
    names.fusion<strongest_fusion>("strongest");
    names.encoder<comodal::generic<dense_encoder>>("dense");
    names.segmentation_loss<focal_options>(
        "focal", [](comodal::label_kind kind, const focal_options& o) { return focal_loss{kind, o.gamma}; });
    names.method<comodal::generic<two_students>>("two_students");
  });
}
