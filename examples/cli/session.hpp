// SPDX-License-Identifier: Apache-2.0
// Small things that several commands share.
#ifndef COMODAL_EXAMPLES_CLI_SESSION_HPP
#define COMODAL_EXAMPLES_CLI_SESSION_HPP

#include <comodal/autograd/variable.hpp>
#include <comodal/data/case_data.hpp>

#include <string>
#include <vector>

namespace cli {

/// What all commands compute with: fp32, or bf16 where `model.precision` asks for it.
using backend = comodal::mixed_backend;

/// A context and its tape.
struct session {
  comodal::context<backend> context;
  comodal::tape<backend> tape{context};
};

/// One pointer a modality, null where it is absent.
[[nodiscard]] inline std::vector<const comodal::image_volume*> image_pointers(const comodal::case_data& one) {
  std::vector<const comodal::image_volume*> images;
  for (std::size_t m = 0; m < one.images.size(); ++m) images.push_back(one.present[m] ? &one.images[m] : nullptr);
  return images;
}

/// The folder of an output below that of the predictions: "" for the fused one, "branch_T1", "only_T1" ...
[[nodiscard]] inline std::string folder_of(const std::string& output) {
  if (output == "fused") return "";
  std::string name = output;
  for (char& c : name)
    if (c == ' ' || c == '/') c = '_';
  return name;
}

}  // namespace cli

#endif
