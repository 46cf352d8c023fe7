// SPDX-License-Identifier: Apache-2.0
/// @file
/// The keys of the table [experiment] of a study file.
#ifndef COMODAL_APP_STUDY_OPTIONS_HPP
#define COMODAL_APP_STUDY_OPTIONS_HPP

#include <comodal/app/toml_value.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app {

/// The keys of [experiment], but for the lists of tables `variants` and `label_sets`.
struct study_options {
  std::string base;
  std::vector<std::string> methods;
  std::vector<index> seeds{1};
  std::string baseline, images, labels;
  std::vector<std::string> subsets{"each"};
  std::string unit = "mm";
  index processes = 0, threads = 1;
  bool keep = false;
};

/// Calls `visit(name, reference, help)` for every key.
template <class Options, class Visit>
void visit_study_options(Options& o, Visit&& visit) {
  visit("base", o.base, "experiment file of `train` below all that stands here; relative to this file");
  visit("methods", o.methods, "names of methods: each is a variant with the options that all cells share");
  visit("seeds", o.seeds, "seeds (train.seed): each variant is trained with each");
  visit("baseline", o.baseline, "the variant that others are compared with; empty: none");
  visit("images", o.images, "folder of the cases to score; empty: imagesTs of data.folder");
  visit("labels", o.labels, "folder of their true masks; empty: labelsTs of data.folder");
  visit("subsets", o.subsets, "subsets of modalities to score beside all: \"each\" alone, or \"every\" subset");
  visit("unit", o.unit, "unit of distances: mm or voxel");
  visit("processes", o.processes, "cells that are trained side by side; 0: one per core, on a device one");
  visit("threads", o.threads, "threads per process");
  visit("keep", o.keep, "true: the model and the masks of each cell are kept");
}

/// The keys of [experiment] with what they mean and their defaults, as TOML.
[[nodiscard]] inline std::string study_keys() {
  study_options options;
  std::string all = "[experiment]\n";
  visit_study_options(options, [&](std::string_view name, auto& value, std::string_view help) {
    std::string line = text(name, " = ", app_detail::show_value(value));
    line.resize(std::max<std::size_t>(line.size(), 22), ' ');
    all += text(line, "  # ", help, "\n");
  });
  return all +
         "\n[[experiment.label_sets]]   # any number; none: data.labelled\n"
         "name = \"few\"\n"
         "labelled = []             # as data.labelled\n"
         "\n[[experiment.variants]]     # any number, behind those of `methods`\n"
         "name = \"weaker\"\n"
         "method = \"mean_teacher\"   # method.name\n"
         "options = {}              # as [method.mean_teacher]\n"
         "label_sets = []           # names of label sets; empty: all\n"
         "optimiser.name = \"sgd\"    # and any other key of `train`\n";
}

}  // namespace app

}  // namespace comodal::inline COMODAL_CONFIG

#endif
