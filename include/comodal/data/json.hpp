// SPDX-License-Identifier: Apache-2.0
/// @file
/// JSON files, and values that are taken from them exactly: a number that the wanted type cannot hold is an error,
/// never another number.
#ifndef COMODAL_DATA_JSON_HPP
#define COMODAL_DATA_JSON_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/data/file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <filesystem>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Reads a JSON file; objects keep the order of their keys. @throws io_error if it cannot be read, is no JSON, or has a
/// key twice in an object
[[nodiscard]] inline nlohmann::ordered_json read_json(const std::filesystem::path& path) {
  const byte_buffer bytes = read_file(path);
  std::vector<std::set<std::string>>
      keys;  // of the objects that are open; the parser would take the last of equal ones
  std::string twice;
  const auto look = [&](int, nlohmann::ordered_json::parse_event_t event, nlohmann::ordered_json& value) {
    using at = nlohmann::ordered_json::parse_event_t;
    if (event == at::object_start) keys.emplace_back();
    if (event == at::object_end) keys.pop_back();
    if (event == at::key && !keys.back().insert(value.get<std::string>()).second) twice = value.get<std::string>();
    return true;
  };
  try {
    auto json = nlohmann::ordered_json::parse(bytes.begin(), bytes.end(), look);
    if (!twice.empty())
      throw io_error(
          text(path.string(), ": has the key \"", readable_name(twice), "\" twice in one object; leave one out"));
    return json;
  } catch (const nlohmann::json::parse_error& failure) {
    const auto read = std::min<std::size_t>(bytes.size(), failure.byte == 0 ? 0 : failure.byte - 1);
    const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(read);
    const auto line = 1 + std::count(bytes.begin(), end, '\n');
    const auto start = std::find(std::make_reverse_iterator(end), bytes.rend(), '\n').base();
    throw io_error(text(path.string(), ": is not valid JSON at line ", line, ", column ", end - start + 1,
                        read >= bytes.size() ? ": the file ends too early" : "",
                        "; look for a missing quotation mark, comma or bracket there"));
  } catch (const nlohmann::json::exception&) {
    throw io_error(text(path.string(), ": is not valid JSON: a text in it is no UTF-8, or a number is too large"));
  }
}

/// The same, or null where it cannot be read: for asking what a file is.
[[nodiscard]] inline nlohmann::ordered_json json_or_nothing(const std::filesystem::path& path) {
  try {
    return read_json(path);
  } catch (const error&) {
    return {};
  }
}

namespace data_detail {

template <class T>
inline constexpr bool is_list_v = false;
template <class T>
inline constexpr bool is_list_v<std::vector<T>> = true;
template <class T>
inline constexpr bool is_array_v = false;
template <class T, std::size_t N>
inline constexpr bool is_array_v<std::array<T, N>> = true;

// A value as it stands in the file, cut short for a message.
template <class Json>
std::string shown(const Json& value) {
  const std::string all = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return all.size() <= 60 ? all : all.substr(0, 57) + "...";
}

template <std::integral T, class Json>
bool holds_integer(const Json& value) {
  if (value.is_number_unsigned()) return std::in_range<T>(value.template get<std::uint64_t>());
  return value.is_number_integer() && std::in_range<T>(value.template get<std::int64_t>());
}

}  // namespace data_detail

/// The value as a `T`: bool, an integer type, double (finite), std::string, or a std::vector or std::array of such.
/// @param what names the value in messages, for example "patch"
/// @throws io_error if the value is of another kind, no integer where one is expected, or outside the type's range
template <class T, class Json>
[[nodiscard]] T json_value(const Json& value, const std::string& what) {
  const auto refuse = [&](const auto&... expected) {
    throw io_error(text(what, " is ", data_detail::shown(value), ", expected ", expected...));
  };
  if constexpr (data_detail::is_list_v<T>) {
    if (!value.is_array()) refuse("a list");
    T list;
    for (std::size_t i = 0; i < value.size(); ++i)
      list.push_back(json_value<typename T::value_type>(value[i], text(what, "[", i, "]")));
    return list;
  } else if constexpr (data_detail::is_array_v<T>) {
    T list{};
    if (!value.is_array() || value.size() != list.size()) refuse("a list of ", list.size(), " numbers");
    for (std::size_t i = 0; i < list.size(); ++i)
      list[i] = json_value<typename T::value_type>(value[i], text(what, "[", i, "]"));
    return list;
  } else if constexpr (std::same_as<T, bool>) {
    if (!value.is_boolean()) refuse("true or false");
    return value.template get<bool>();
  } else if constexpr (std::integral<T>) {
    if (!data_detail::holds_integer<T>(value))
      refuse("an integer from ", std::numeric_limits<T>::min(), " to ", std::numeric_limits<T>::max());
    return value.template get<T>();
  } else if constexpr (std::same_as<T, double>) {
    if (!value.is_number() || !std::isfinite(value.template get<double>())) refuse("a finite number");
    return value.template get<double>();
  } else {
    static_assert(std::same_as<T, std::string>,
                  "comodal: json_value gives bool, integers, double, std::string and lists of them.");
    if (!value.is_string()) refuse("text in quotes");
    return value.template get<std::string>();
  }
}

/// The entry of an object. @param what names the object in messages. @throws io_error if there is none
template <class Json>
[[nodiscard]] const Json& json_entry(const Json& object, std::string_view key, const std::string& what) {
  const auto found = object.is_object() ? object.find(std::string(key)) : object.end();
  if (!object.is_object() || found == object.end()) throw io_error(text(what, " has no \"", key, "\""));
  return *found;
}

/// The entry of an object as a `T`. @throws as `json_value` and `json_entry`
template <class T, class Json>
[[nodiscard]] T json_value(const Json& object, std::string_view key, const std::string& what) {
  return json_value<T>(json_entry(object, key, what), text(what, ": \"", key, "\""));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
