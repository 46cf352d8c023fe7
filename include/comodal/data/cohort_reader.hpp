// SPDX-License-Identifier: Apache-2.0
/// @file
/// The concept of a reader of one layout of data sets (nnU-Net raw, case folders, lists ...).
#ifndef COMODAL_DATA_COHORT_READER_HPP
#define COMODAL_DATA_COHORT_READER_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/data/cohort.hpp>

#include <algorithm>
#include <concepts>
#include <filesystem>
#include <string_view>

namespace comodal::inline COMODAL_CONFIG {

/// Sorts the cases of a listing by id, as every reader does.
inline void sort_by_id(cohort_listing& listing) {
  std::sort(listing.training.begin(), listing.training.end(),
            [](const listed_case& a, const listed_case& b) { return a.files.id < b.files.id; });
  std::sort(listing.test.begin(), listing.test.end(),
            [](const case_files& a, const case_files& b) { return a.id < b.id; });
}

namespace detail {

template <class T>
concept names_layout = requires {
  { T::layout() } -> std::convertible_to<std::string_view>;
};

template <class T>
concept recognises_layout = requires(const std::filesystem::path& path) {
  { T::recognises(path) } -> std::same_as<bool>;
};

template <class T>
concept lists_cases = requires(const T& reader) {
  { reader.list() } -> std::same_as<cohort_listing>;
};

}  // namespace detail

/// A reader of one layout: `T::layout()` names it, `T::recognises(path)` says whether a folder or file has it (without
/// reading images), and `reader.list()` returns its cases, sorted by id. `list` throws io_error or config_error where
/// there is no cohort to speak of, and puts all else into `cohort_listing::findings`; it opens no image and no label.
/// It knows nothing of splits: `apply_split` makes a cohort of the listing.
template <class T>
concept cohort_reader = detail::names_layout<T> && detail::recognises_layout<T> && detail::lists_cases<T>;

/// Stops the compilation with the sentence that names what `T` lacks to be a `cohort_reader`.
template <class T>
constexpr void check_cohort_reader() {
  if constexpr (!detail::names_layout<T>)
    static_assert(detail::never<T>,
                  "comodal: a cohort_reader needs a static function layout() that returns the layout's name, such as "
                  "\"nnunet-raw\"");
  else if constexpr (!detail::recognises_layout<T>)
    static_assert(
        detail::never<T>,
        "comodal: a cohort_reader needs a static function recognises(std::filesystem::path) that returns bool: "
        "whether the folder has this layout");
  else if constexpr (!detail::lists_cases<T>)
    static_assert(
        detail::never<T>,
        "comodal: a cohort_reader needs a const member function list() that returns a comodal::cohort_listing");
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
