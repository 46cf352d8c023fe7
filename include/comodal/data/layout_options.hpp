// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a data set does not say itself: which file of a case's folder is which modality, and what label values mean.
#ifndef COMODAL_DATA_LAYOUT_OPTIONS_HPP
#define COMODAL_DATA_LAYOUT_OPTIONS_HPP

#include <comodal/data/cohort.hpp>
#include <comodal/data/dataset_json.hpp>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// How a reader finds files, and what their label values mean. All may be empty: then the data set says it.
struct layout_options {
  std::vector<std::string> images{};   // "NAME=PATTERN" per modality: its file in the folder of a case
  std::string label{};                 // pattern of the label map in the folder of a case
  std::string case_folders = "*";      // pattern of the folders of cases below the data set
  std::vector<std::string> classes{};  // "NAME=VALUE", or "NAME=VALUE+VALUE" for regions; without the background
  std::vector<index> region_order{};   // with regions: the label value that each is written as
  index ignore = 0;                    // label value of voxels that nobody looked at; 0: that of the data set, if any
};

/// Calls `visit(name, value, help)` for every option.
template <class Options, class Visit>
void visit_layout_options(Options& o, const Visit& visit) {
  visit("images", o.images, "with a folder per case: NAME=PATTERN of each modality's file, such as t1=*_t1.nii.gz");
  visit("label", o.label, "with a folder per case: pattern of its label map");
  visit("case_folders", o.case_folders, "with a folder per case: pattern of these folders, such as */*");
  visit("classes", o.classes, "NAME=VALUE of each class, or NAME=VALUE+VALUE of regions; empty: as the data set says");
  visit("region_order", o.region_order, "with regions: the label value that each is written as");
  visit("ignore", o.ignore, "label value of voxels that nobody looked at; 0: as the data set says");
}

namespace data_detail {

// "NAME=REST" in two parts. @throws config_error naming the option
inline std::pair<std::string, std::string> name_and_rest(const std::string& words, std::string_view option,
                                                         std::string_view example) {
  const auto at = words.find('=');
  if (at == std::string::npos || at == 0 || at + 1 == words.size())
    throw config_error(text(option, ": '", readable_name(words), "', expected NAME=... such as ", example));
  return {words.substr(0, at), words.substr(at + 1)};
}

}  // namespace data_detail

/// The classes of options such as "oedema=2" or "whole tumour=1+2+4", behind the background, which is 0.
/// @throws config_error naming what is no class; as `check_labels`
[[nodiscard]] inline std::vector<label_class> classes_of(const layout_options& options) {
  std::vector<label_class> classes{{"background", {0}}};
  for (const std::string& words : options.classes) {
    const auto [name, values] = data_detail::name_and_rest(words, "data.classes", "\"oedema=2\"");
    if (name == detail::ignore_name)
      throw config_error(
          "data.classes: 'ignore' is no class; name the value of voxels that nobody looked at with data.ignore");
    label_class c{name, {}};
    const char *at = values.data(), *const end = at + values.size();
    for (;;) {
      int value = 0;
      const auto [behind, failure] = std::from_chars(at, end, value);
      if (failure != std::errc() || (behind != end && *behind != '+'))
        throw config_error(text("data.classes: '", readable_name(words),
                                "', expected label values such as \"oedema=2\", or \"whole tumour=1+2+4\""));
      if (std::find(c.values.begin(), c.values.end(), value) != c.values.end() || (value == 0 && *behind == '+') ||
          (value == 0 && !c.values.empty()))
        throw config_error(text("data.classes: '", readable_name(words), "' has ", value,
                                value == 0 ? ", the background, in its list" : " twice in its list"));
      c.values.push_back(value);
      if (behind == end) break;
      at = behind + 1;
    }
    classes.push_back(std::move(c));
  }
  return classes;
}

/// Gives a listing the classes of the options, where they name some. @throws config_error as `classes_of` and
/// `check_labels`, and for regions without an order
inline void take_classes(cohort_listing& listing, const layout_options& options) {
  const auto label_value = [](index value, const char* option) {
    if (value < 0 || value > 255)
      throw config_error(text(option, ": ", value, ", expected a label value from 0 to 255"));
    return static_cast<int>(value);
  };
  if (options.ignore != 0) listing.ignored = label_value(options.ignore, "data.ignore");
  if (options.classes.empty()) {
    if (!options.region_order.empty())
      throw config_error("data.region_order is set without data.classes; name the regions there, too");
    return;
  }
  listing.labels = classes_of(options);
  listing.region_order.clear();
  for (const index value : options.region_order)
    listing.region_order.push_back(label_value(value, "data.region_order"));
  if (listing.has_regions() && listing.region_order.empty())
    throw config_error(text("data.classes: has regions, so that data.region_order must say what each is written as: ",
                            listing.labels.size() - 1, " label values, outer regions first"));
  if (!listing.has_regions() && !listing.region_order.empty())
    throw config_error(
        "data.region_order is for regions, such as \"whole tumour=1+2+4\"; data.classes has none: leave it out");
  check_labels(listing.labels, listing.region_order);
  if (const std::string fault = detail::region_order_fault(listing.labels, listing.region_order);
      listing.has_regions() && !fault.empty())
    throw config_error("data.region_order: " + fault);
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
