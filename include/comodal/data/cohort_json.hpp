// SPDX-License-Identifier: Apache-2.0
/// @file
/// Classes of label maps in JSON, as model files and descriptions of predictions hold them.
#ifndef COMODAL_DATA_COHORT_JSON_HPP
#define COMODAL_DATA_COHORT_JSON_HPP

#include <comodal/data/cohort.hpp>
#include <comodal/data/json.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// The classes as a list of {"name": ..., "values": [...]}.
[[nodiscard]] inline nlohmann::ordered_json label_classes_to_json(const std::vector<label_class>& classes) {
  auto list = nlohmann::ordered_json::array();
  for (const label_class& c : classes) list.push_back({{"name", c.name}, {"values", c.values}});
  return list;
}

/// The classes of such a list, unchecked (`check_labels`). @param what names the list in messages
/// @throws io_error if it is no such list, or a value is no integer
template <class Json>
[[nodiscard]] std::vector<label_class> label_classes_from(const Json& list, const std::string& what) {
  if (!list.is_array()) throw io_error(text(what, " is not a list of classes"));
  std::vector<label_class> classes;
  for (std::size_t c = 0; c < list.size(); ++c) {
    const std::string of = text(what, "[", c, "]");
    classes.push_back(
        {json_value<std::string>(list[c], "name", of), json_value<std::vector<int>>(list[c], "values", of)});
  }
  return classes;
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
