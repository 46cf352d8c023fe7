// SPDX-License-Identifier: Apache-2.0
/// @file
/// A cohort and an experiment so small that verbs take seconds, and an observer that keeps what it saw.
#ifndef COMODAL_TESTS_APP_TINY_JOB_HPP
#define COMODAL_TESTS_APP_TINY_JOB_HPP

#include <comodal/app/app.hpp>
#include <comodal/data/phantom.hpp>

#include <nn/support.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace comodal::tests {

using B = mixed_backend;
namespace fs = std::filesystem;

// A cohort of three labelled, two unlabelled and two test cases, and a tiny experiment on it.
struct tiny_job {
  temporary_folder work;
  registry<B> names = registry<B>::built_in();
  app::experiment e;

  tiny_job() {
    phantom_options heads;
    heads.grid = {32, 32, 16};
    heads.spacing = {5, 5, 9};
    heads.labelled = 3;
    heads.unlabelled = 2;
    heads.test = 2;
    write_phantom_cohort(work / "cohort", heads, 3);
    std::ofstream(work / "tiny.toml") << "[model]\nstream_channels = [2, 4]\nfused_channels = [4, 8]\n"
                                         "[batch]\npatch_size = [16, 16, 8]\n"
                                         "[train]\nsteps = 12\nlog_every = 1\nvalidate_every = 6\n";
    e = app::read_experiment(work / "tiny.toml",
                             {"--data.folder", (work / "cohort").string(), "--data.validation", "[\"phantom_0002\"]",
                              "--method.contrastive_mutual_learning.ema_decay=0.9"},
                             names);
  }
};

// What an observer saw.
struct seen {
  std::vector<std::string> warnings, notes;
  std::vector<app::work_progress> progress;
  index cancel_at = -1;  // progress from which work is cancelled; -1: never

  [[nodiscard]] app::observer watch() {
    return {[this](const std::string& line) { warnings.push_back(line); },
            [this](const std::string& line) { notes.push_back(line); },
            [this](const app::work_progress& at) { progress.push_back(at); },
            [this] { return cancel_at >= 0 && !progress.empty() && progress.back().done >= cancel_at; }};
  }
};

}  // namespace comodal::tests

#endif
