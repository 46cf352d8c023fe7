// SPDX-License-Identifier: Apache-2.0
/// @file
/// Embeddings of labelled voxels of earlier steps, by class.
#ifndef COMODAL_SSL_PARTS_LABELLED_MEMORY_HPP
#define COMODAL_SSL_PARTS_LABELLED_MEMORY_HPP

#include <comodal/loss/feature_losses.hpp>
#include <comodal/ssl/parts/feature_memory.hpp>
#include <comodal/ssl/parts/positions.hpp>

#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

// Writes the embeddings of filled places over the oldest entries of their class. Every class has the same places.
template <class T>
struct remember_body {
  index places, share, entries, width, written;  // K and K / C; entries per class; written per class and step
  const double* step;
  const std::int32_t* cells;
  const T* embeddings;  // (N, K, width)
  T* memory;            // (C, entries, width)
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index e = i % width, row = i / width, n = row / places, place = row % places;
    const index c = place / share, j = n * share + place % share;
    if (cells[row] < 0 || j >= entries) return;  // no two of these write to the same entry
    for (index other = row * width; other < (row + 1) * width; ++other)
      if (embeddings[other] - embeddings[other] != T(0)) return;  // not finite: the old entry stays
    const index at = (static_cast<index>(*step) * written + j) % entries;
    memory[(c * entries + at) * width + e] = embeddings[i];
  }
};

template <class T>
struct empty_entries_body {
  index width;
  const T* memory;
  T* penalty;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    bool any = false;
    for (index e = 0; e < width; ++e) any = any || memory[i * width + e] != T(0);
    penalty[i] = any ? T(0) : T(excluded_logit);
  }
};

// The class that two predictions agree on (and a target, where there is one), as a group; else none. Of regions: the
// last that has 1/2 and more, counted from 1; 0 is none of them.
template <class T>
struct agreed_class_body {
  label_kind kind;
  index channels;
  const T *p, *q, *target;  // target may be null
  std::uint8_t* group;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index a = of(p + i * channels), b = of(q + i * channels);
    const bool right = target == nullptr || of(target + i * channels) == a;
    group[i] = a == b && right ? static_cast<std::uint8_t>(a) : no_group;
  }

 private:
  KOKKOS_INLINE_FUNCTION index of(const T* row) const {
    index best = 0;
    for (index c = 0; c < channels; ++c) {
      if (kind == label_kind::classes) best = row[c] > row[best] ? c : best;
      if (kind == label_kind::regions) best = row[c] >= T(0.5) ? c + 1 : best;
    }
    return best;
  }
};

}  // namespace ssl_detail

/// The voxels in which two predictions, and a target where there is one, say the same class: the class, or no group.
/// @param p, q probabilities (N, D, H, W, C) @param target of their shape, or empty @return (N, D H W)
template <tensor_backend Backend>
[[nodiscard]] cell_groups<Backend> agreed_classes(const variable<Backend>& p, const variable<Backend>& q,
                                                  const variable<Backend>& target, label_kind kind) {
  using T = typename Backend::scalar_type;
  const cell_groups<Backend> groups = p.ctx().template make_of<std::uint8_t>({p.extent(0), p.shape().product(1, 4)});
  ops::each(p.ctx(), groups.size(),
            ssl_detail::agreed_class_body<T>{kind, p.extent(4), p.value().data(), q.value().data(),
                                             target ? target.value().data() : nullptr, groups.data()});
  return groups;
}

/// A fixed number of unit vectors per class, of which the oldest give way. A vector of zeros is an empty entry.
/// Everything stays on the device, in its place.
template <tensor_backend Backend>
class labelled_memory {
  using T = typename Backend::scalar_type;

 public:
  labelled_memory(tape<Backend>& home, index classes, index entries, index width)
      : m_values(ops::full(home.ctx(), {classes, entries, width}, T(0))) {}

  /// @param embeddings (N, K, width) at drawn voxels, with equal numbers of places for all classes
  void remember(const variable<Backend>& embeddings, const drawn_positions<Backend>& at, const step_request& request) {
    auto& ctx = embeddings.ctx();
    const index places = embeddings.extent(1), share = places / m_values.shape()[0];
    const ssl_detail::remember_body<T> body{places,
                                            share,
                                            m_values.shape()[1],
                                            m_values.shape()[2],
                                            embeddings.extent(0) * share,
                                            device_iteration(ctx, request.step),
                                            at.cells.data(),
                                            embeddings.value().data(),
                                            m_values.data()};
    ops::each(ctx, embeddings.shape().size(), body);
  }
  /// Cosines with all entries over the temperature: embeddings (A, width) -> (A, classes entries). Empty entries get a
  /// number so low that a soft-max gives them nothing.
  [[nodiscard]] variable<Backend> similarities(const variable<Backend>& embeddings, double temperature) const {
    auto& ctx = embeddings.ctx();
    auto& home = embeddings.home();
    const shape& s = m_values.shape();
    auto penalty = ctx.make({1, s[0] * s[1]});
    ops::each(ctx, penalty.size(), ssl_detail::empty_entries_body<T>{s[2], m_values.data(), penalty.data()});
    // A copy: entries change before the backward pass.
    const auto entries = home.constant(ops::copy(ctx, m_values).reshaped({s[0] * s[1], s[2]}));
    return matmul(embeddings, entries, ops::transposed::b) * (1 / temperature) + home.constant(penalty);
  }
  /// Waits for the device.
  void save(context<Backend>& ctx, const std::string& name, safetensors_file& file) const {
    file.arrays[name] = named_array::of(m_values.shape(), to_host(ctx.space(), m_values));
  }
  /// @throws io_error for an array that is missing or does not fit
  void load(context<Backend>& ctx, const std::string& name, const safetensors_file& file) {
    ssl_detail::load_in_place(ctx, file, name, m_values);
  }

 private:
  tensor_of<Backend> m_values;  // (classes, entries, width)
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
