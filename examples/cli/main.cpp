// SPDX-License-Identifier: Apache-2.0
// The `comodal` program: reads the command line and calls a command. Exit status 0: done; 1: failed; 2: bad input, one
// line says what.
#include "commands.hpp"

#include <comodal/core/runtime.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <functional>

namespace {

int run(const std::function<int()>& command) {
  try {
    comodal::use_host_threads(0);
    return command();
  } catch (const comodal::out_of_memory_error& failure) {
    std::fprintf(stderr, "comodal: %s; use a smaller batch.patch_size or fewer crops per step\n", failure.what());
    return 1;
  } catch (const comodal::device_error& failure) {
    std::fprintf(stderr, "comodal: %s\n", failure.what());
    return 1;
  } catch (const comodal::error& failure) {
    std::fprintf(stderr, "comodal: %s\n", failure.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "comodal: out of memory; use a smaller batch.patch_size or fewer crops per step\n");
    return 1;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "comodal: %s\n", failure.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  comodal::let_waiting_threads_sleep(argv);
  CLI::App app{"comodal: semi-supervised, multi-modal 3-D medical image segmentation.\nNot a medical device."};
  app.require_subcommand(1);
  app.set_version_flag("--version", COMODAL_VERSION);
  app.option_defaults()->always_capture_default();

  cli::phantom_arguments phantom;
  auto* phantom_command = app.add_subcommand("phantom", "make a cohort of synthetic heads in nnU-Net raw layout");
  phantom_command->add_option("folder", phantom.folder, "folder to write; new or empty")->required();
  phantom_command->add_option("--config", phantom.config, "TOML file with a table [phantom]");
  phantom_command->add_option("--seed", phantom.seed, "decides every case");
  phantom_command->add_flag("--easy", phantom.easy, "less noise, fewer distractors");
  phantom_command->add_flag("--hard", phantom.hard, "more noise, more distractors");
  phantom_command->add_flag("--copies", phantom.copies, "control: all modalities are the same image");
  phantom_command->allow_extras();
  phantom_command->footer(
      [] { return "Every number can be set by --phantom.KEY VALUE. Keys and defaults:\n\n" + cli::phantom_keys(); });

  std::filesystem::path check_folder;
  auto* check_command = app.add_subcommand("check", "read every file of a data set and report every fault");
  check_command->add_option("folder", check_folder, "an nnU-Net raw folder")->required();

  cli::train_arguments train;
  auto* train_command = app.add_subcommand("train", "train the network that an experiment file describes");
  train_command->add_option("experiment", train.config, "TOML file")->required();
  train_command
      ->add_option("folder", train.folder, "folder of the run: a new one, or with --resume that of an earlier run")
      ->required();
  train_command->add_flag("--resume", train.resume, "continue from the checkpoint in the folder, if there is one");
  const char* memory_help =
      "limit of the tensor memory of a step in GiB (train.memory); stages are recomputed until it fits. 0: no limit";
  train_command->add_option("--memory", train.memory, memory_help)->check(CLI::NonNegativeNumber);
  train_command->allow_extras();
  train_command->footer(
      [] { return "Every key can be set by --SECTION.KEY VALUE. Keys and defaults:\n\n" + cli::train_keys(); });

  cli::predict_arguments predict;
  auto* predict_command = app.add_subcommand("predict", "segment a folder of images; masks have the inputs' own grids");
  predict_command->add_option("model", predict.model, "model.safetensors of a run")->required();
  predict_command->add_option("images", predict.images, "folder of CASE_0000.nii.gz, CASE_0001.nii.gz ...")->required();
  predict_command->add_option("folder", predict.folder, "folder to write the masks to")->required();
  predict_command->add_flag("--branches", predict.branches, "also the branch of each modality, in branch_NAME/");
  predict_command->add_flag("--only", predict.only, "also the fused output from each modality alone, in only_NAME/");
  predict_command->add_option("--weights", predict.weights, "which weights of the model predict: ema, student ...");
  predict_command->add_option("--step", predict.step, "distance between windows, as a fraction of their size")
      ->check(CLI::Range(0.05, 1.0));
  predict_command->add_option("--mirror", predict.mirror, "average over flips along these axes: i, j, k")
      ->check(CLI::IsMember({"i", "j", "k"}));
  predict_command->add_option("--threads", predict.threads, "number of threads; 0: all cores")
      ->check(CLI::NonNegativeNumber);

  cli::evaluate_arguments evaluate;
  auto* evaluate_command =
      app.add_subcommand("evaluate", "score predictions against labels; several folders are compared");
  evaluate_command->add_option("predictions", evaluate.predictions, "folders that `predict` wrote")->required();
  evaluate_command->add_option("--labels", evaluate.labels, "folder of the true masks")->required();
  evaluate_command->add_option("--unit", evaluate.unit, "unit of distances")->check(CLI::IsMember({"mm", "voxel"}));
  evaluate_command->add_option("--hd95", evaluate.hd95, "convention of the 95 % Hausdorff distance")
      ->check(CLI::IsMember({"monai", "medpy", "pymic"}));

  cli::report_arguments report;
  auto* report_command = app.add_subcommand("report", "one HTML file with curves, tables and pictures of runs");
  report_command->add_option("runs", report.runs, "run folders, each with log.jsonl and predictions/")->required();
  report_command->add_option("--labels", report.labels, "folder of the true masks")->required();
  report_command->add_option("--images", report.images, "folder of the images that were predicted")->required();
  report_command->add_option("--out", report.file, "the HTML file")->required();
  report_command->add_option("--unit", report.unit, "unit of distances")->check(CLI::IsMember({"mm", "voxel"}));
  report_command->add_option("--title", report.title, "heading of the report");
  report_command->add_option("--cases", report.cases, "number of cases with pictures")->check(CLI::NonNegativeNumber);

  cli::benchmark_arguments benchmark;
  auto* benchmark_command =
      app.add_subcommand("benchmark", "time a training step, or the prediction of a volume, on synthetic volumes");
  benchmark_command->add_option("--config", benchmark.config, "experiment file; without it, the defaults");
  benchmark_command->add_option("--work", benchmark.work, "work to time")->check(CLI::IsMember({"train", "predict"}));
  benchmark_command->add_option("--precision", benchmark.precision, "precision of the network's maps (model.precision)")
      ->check(CLI::IsMember({"fp32", "bf16"}));
  benchmark_command->add_option("--modalities", benchmark.modalities, "volumes per case")->check(CLI::Range(1, 16));
  benchmark_command->add_option("--classes", benchmark.classes, "number of classes, background included")
      ->check(CLI::Range(2, 16));
  benchmark_command->add_option("--volume", benchmark.volume, "size in voxels along i, j, k of the volume to predict")
      ->expected(3)
      ->check(CLI::Range(1, 2048));
  benchmark_command->add_option("--steps", benchmark.steps, "timed repetitions")->check(CLI::Range(1, 100000));
  benchmark_command->add_option("--warm", benchmark.warm, "untimed repetitions before them")
      ->check(CLI::Range(1, 100000));
  benchmark_command->add_option("--memory", benchmark.memory, memory_help)->check(CLI::NonNegativeNumber);
  benchmark_command->add_flag("--profile", benchmark.profile, "list time and memory by layer and by operation");
  benchmark_command->add_option("--json", benchmark.json, "file to write all measurements to");
  benchmark_command->allow_extras();
  benchmark_command->footer(
      [] { return "Every key of an experiment can be set by --SECTION.KEY VALUE; comodal train --help lists them."; });

  std::filesystem::path info_model;
  auto* info_command = app.add_subcommand("info", "what this program was built with, or what a model file holds");
  info_command->add_option("model", info_model, "a model or checkpoint file");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& failure) {
    return app.exit(failure) == 0 ? 0 : 2;
  }

  return run([&] {
    if (*phantom_command) return cli::phantom(phantom, phantom_command->remaining());
    if (*check_command) return cli::check(check_folder);
    if (*train_command) return cli::train(train, train_command->remaining());
    if (*predict_command) return cli::predict(predict);
    if (*evaluate_command) return cli::evaluate(evaluate);
    if (*report_command) return cli::report(report);
    if (*benchmark_command) return cli::benchmark(benchmark, benchmark_command->remaining());
    return cli::info(info_model);
  });
}
