// SPDX-License-Identifier: Apache-2.0
// The bytes of a safetensors file and the plan in its metadata; what is no such file is taken for the plan itself.
#include "fuzz.hpp"

#include <comodal/model/model_file.hpp>

using namespace comodal;  // but `index`, which is in the C library, too

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view words(reinterpret_cast<const char*>(data), size);
  const auto look = [](const safetensors_file& content) {
    const model_plan plan = plan_of(content, "input");
    safetensors_file again;
    write_plan(plan, again);
    fuzz::expect(to_json(plan_of(again, "again")) == to_json(plan), "the same plan");
    fuzz::expect(plan.channels() >= 1, "channels");
  };
  fuzz::answered(words, [&] {
    const safetensors_file content = read_safetensors({data, size}, "input");
    const safetensors_file again = read_safetensors(safetensors_bytes(content), "again");
    fuzz::expect(checksum_of(again) == checksum_of(content), "the same content");
    fuzz::answered(words, [&] { verify_checksum(content, "input"); });
    look(content);
  });
  fuzz::answered(words, [&] {
    safetensors_file content;
    content.metadata["comodal.format"] = "2";
    content.metadata["comodal.plan"] = std::string(reinterpret_cast<const char*>(data), size);
    look(content);
  });
  return 0;
}
