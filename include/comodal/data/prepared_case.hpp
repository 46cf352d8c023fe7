// SPDX-License-Identifier: Apache-2.0
/// @file
/// A prepared case, in memory or in a file of a cache: who trains with it need not know which.
#ifndef COMODAL_DATA_PREPARED_CASE_HPP
#define COMODAL_DATA_PREPARED_CASE_HPP

#include <comodal/data/cached_case.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A prepared case with or without a label.
class prepared_case {
 public:
  explicit prepared_case(case_data one)
      : m_images(std::make_shared<const case_data>(std::move(one))), m_canonical(m_images->preparation.canonical()) {}
  explicit prepared_case(labelled_case_data one)
      : m_images(std::make_shared<const case_data>(std::move(one.data))),
        m_label(std::make_shared<const label_volume>(std::move(one.label))),
        m_canonical(m_images->preparation.canonical()),
        m_values(detail::values_in(*m_label)) {}
  explicit prepared_case(std::shared_ptr<const cached_case> file) : m_file(std::move(file)) {
    m_canonical = m_file->header().canonical;
    for (const class_slices& one : m_file->header().classes) m_values[one.label] = true;
  }

  /// A readable name, where the case is in a file.
  [[nodiscard]] const std::string& id() const { return m_file ? m_file->header().id : m_images->id; }
  [[nodiscard]] std::uint32_t checksum() const { return m_file ? m_file->header().checksum : m_images->checksum; }
  [[nodiscard]] const std::vector<finding>& warnings() const {
    return m_file ? m_file->header().warnings : m_images->warnings;
  }
  /// The grid of the prepared volumes.
  [[nodiscard]] const geometry& grid() const {
    return m_file ? m_file->header().grid : m_images->preparation.prepared();
  }
  /// The grid of the images as they came, in RAS+.
  [[nodiscard]] const geometry& canonical() const { return m_canonical; }
  /// True if its label map has voxels of a class's value, above 0.
  [[nodiscard]] bool holds(int value) const { return m_values.at(static_cast<std::size_t>(value)); }
  /// Bytes that it takes in memory: 0 where it is in a file.
  [[nodiscard]] double memory() const {
    if (m_file) return 0;
    double bytes = m_label ? static_cast<double>(m_label->values.size()) : 0;
    for (const image_volume& image : m_images->images) bytes += 4 * static_cast<double>(image.values.size());
    return bytes;
  }

  /// The case in memory, on its prepared grid; read where it is in a file.
  [[nodiscard]] std::shared_ptr<const case_data> images() const {
    return m_file ? std::make_shared<const case_data>(m_file->read()) : m_images;
  }
  /// Its label map, read where it is in a file. @throws io_error if it has none
  [[nodiscard]] std::shared_ptr<const label_volume> label() const {
    if (m_file) return std::make_shared<const label_volume>(m_file->read_label());
    if (!m_label) throw io_error(text(id(), ": has no label"));
    return m_label;
  }

  /// What crops of it are cut from, without its label; this object must outlive it.
  [[nodiscard]] unlabelled_training_case unlabelled_crops() const {
    if (!m_file) return {m_images->id, {m_images->images.begin(), m_images->images.end()}};
    return {id(), {}, stored()};
  }
  /// The same with its label. @param annotated, ignored as of `labelled_training_case`
  [[nodiscard]] labelled_training_case labelled_crops(std::vector<float> annotated,
                                                      const std::optional<int>& ignored) const {
    auto [name, views, images] = unlabelled_crops();
    labelled_training_case one{std::move(name), std::move(views), {}, std::move(annotated), ignored, images};
    if (m_file)
      one.label_stored = std::make_shared<const stored_label>(
          stored_label{class_table(m_file->header().classes), [file = m_file] { return file->label(); }});
    else
      one.label = volume_view(m_label.get());
    return one;
  }

 private:
  [[nodiscard]] std::shared_ptr<const stored_images> stored() const {
    const cached_case_header& h = m_file->header();
    const auto spacing = h.grid.spacing();
    return std::make_shared<const stored_images>(stored_images{
        {{h.grid.size[2], h.grid.size[1], h.grid.size[0]}, {spacing[2], spacing[1], spacing[0]}, h.minimum},
        [file = m_file] { return file->images(); }});
  }

  std::shared_ptr<const case_data> m_images;
  std::shared_ptr<const label_volume> m_label;
  std::shared_ptr<const cached_case> m_file;  // in place of both
  geometry m_canonical;
  std::array<bool, 256> m_values{};
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
