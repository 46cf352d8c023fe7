// SPDX-License-Identifier: Apache-2.0
// The commands of the `comodal` program. Each returns an exit status: 0, or 1 for a failure; bad input throws
// comodal::error.
#ifndef COMODAL_EXAMPLES_CLI_COMMANDS_HPP
#define COMODAL_EXAMPLES_CLI_COMMANDS_HPP

#include <comodal/core/shape.hpp>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

namespace cli {

using path = std::filesystem::path;

struct phantom_arguments {
  path folder, config;
  std::uint64_t seed = 1;
  bool easy = false, hard = false, copies = false;
};
int phantom(const phantom_arguments& arguments, const std::vector<std::string>& overrides);

int check(const path& folder);

struct train_arguments {
  path config, folder;
  bool resume = false;
  double memory = 0;  // GiB; above 0 it is `train.memory`
};
int train(const train_arguments& arguments, const std::vector<std::string>& overrides);

struct predict_arguments {
  path model, images, folder;
  bool branches = false, only = false;
  std::string weights;  // empty: the default of the model
  double step = 0.5;
  std::vector<std::string> mirror;
  int threads = 0;
};
int predict(const predict_arguments& arguments);

struct evaluate_arguments {
  std::vector<path> predictions;
  path labels;
  std::string unit = "mm", hd95 = "monai";
};
int evaluate(const evaluate_arguments& arguments);

struct report_arguments {
  std::vector<path> runs;  // each with log.jsonl and predictions/
  path labels, images, file;
  std::string unit = "mm", title = "comodal";
  int cases = 3;
};
int report(const report_arguments& arguments);

struct benchmark_arguments {
  path config, json;
  std::string work = "train";
  std::string precision;  // not empty: it is `model.precision`
  int modalities = 3, classes = 3, steps = 10, warm = 3;
  std::vector<comodal::index> volume{128, 128, 96};  // i, j, k: three
  bool profile = false;
  double memory = 0;  // GiB; above 0 it is `train.memory`
};
int benchmark(const benchmark_arguments& arguments, const std::vector<std::string>& overrides);

int info(const path& model);

/// All keys of an experiment file with their defaults, as TOML.
std::string train_keys();
/// All keys of a phantom file with their defaults, as TOML.
std::string phantom_keys();

}  // namespace cli

#endif
