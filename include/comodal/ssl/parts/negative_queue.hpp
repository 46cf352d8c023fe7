// SPDX-License-Identifier: Apache-2.0
/// @file
/// Maps of other cases that a contrast pushes away from: those of this step and a queue of earlier ones.
#ifndef COMODAL_SSL_PARTS_NEGATIVE_QUEUE_HPP
#define COMODAL_SSL_PARTS_NEGATIVE_QUEUE_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/nn/state.hpp>
#include <comodal/ssl/device_batch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

// allowed (N, J, K) from counts (J, K): where negative j is of another case than sample n, and class k counts in it.
template <class T>
struct allowed_body {
  index samples, negatives, classes;
  const std::int64_t *own, *queued;  // (N), (J - N)
  const T* counts;
  T* allowed;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index k = i % classes, j = i / classes % negatives, n = i / classes / negatives;
    const std::int64_t other = j < samples ? own[j] : queued[j - samples];
    allowed[i] = other == own[n] ? T(0) : counts[j * classes + k];
  }
};

// The last `capacity` of `capacity` old and `added` new cases.
struct shift_cases_body {
  index capacity, added;
  const std::int64_t *old, *fresh;
  std::int64_t* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const index from = i + added;
    to[i] = from < capacity ? old[from] : fresh[from - capacity];
  }
};
struct no_case_body {
  std::int64_t none, *to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = none; }
};
struct copy_cases_body {
  const std::int64_t* from;
  std::int64_t* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = from[i]; }
};

}  // namespace ssl_detail

/// The last maps of earlier steps, detached, with the case of each and the classes that count in it. It has all its
/// places from the first step on: in those that are empty no class counts, so that they are never negatives. The oldest
/// stand in front; everything is kept on the device, in its place.
template <tensor_backend Backend>
class negative_queue {
 public:
  using T = typename Backend::scalar_type;

  /// Negatives for the samples of a step: the step's own maps, then the queue.
  struct selection {
    variable<Backend> maps;     // (J, V, K), J = N + capacity
    variable<Backend> allowed;  // (N, J, K): 1 where the negative is of another case and the class counts in it
  };

  explicit negative_queue(index capacity) : m_capacity(capacity) {}

  /// @param maps (N, V, K) of this step @param counts (N, K) the classes that count in them @param cases of the N
  /// samples
  [[nodiscard]] selection select(const variable<Backend>& maps, const variable<Backend>& counts,
                                 const case_numbers<Backend>& cases) {
    auto& home = maps.home();
    auto& ctx = maps.ctx();
    make_places(maps);
    const index n = maps.extent(0), k = maps.extent(2), all = n + m_capacity;
    const auto counting = m_capacity == 0 ? counts.value() : ops::concat<Backend>(ctx, {counts.value(), m_counts}, 0);
    auto allowed = ctx.make({n, all, k});
    ops::each(ctx, allowed.size(),
              ssl_detail::allowed_body<T>{n, all, k, cases.data(), m_cases.data(), counting.data(), allowed.data()});
    const auto joined = m_capacity == 0 ? maps : concat<Backend>({maps, home.constant(m_maps)}, 0);
    return {joined, home.constant(allowed)};
  }

  /// Adds the maps of a step; the oldest leave.
  void push(const variable<Backend>& maps, const variable<Backend>& counts, const case_numbers<Backend>& cases) {
    if (m_capacity == 0) return;
    auto& ctx = maps.ctx();
    make_places(maps);
    const index added = maps.extent(0);
    const auto shift = [&](const tensor_of<Backend>& kept, const tensor_of<Backend>& fresh) {
      const auto both = ops::concat<Backend>(ctx, {kept, fresh}, 0);
      ops::copy_finite_or_zero_to(ctx, ops::slice(ctx, both, 0, added, added + m_capacity), kept);
    };
    shift(m_maps, maps.value());
    shift(m_counts, counts.value());
    const auto moved = ctx.template make_of<std::int64_t>({m_capacity});
    ops::each(ctx, m_capacity,
              ssl_detail::shift_cases_body{m_capacity, added, m_cases.data(), cases.data(), moved.data()});
    ops::each(ctx, m_capacity, ssl_detail::copy_cases_body{moved.data(), m_cases.data()});
  }

  /// The number of maps in the queue; waits for the device.
  [[nodiscard]] index size(const context<Backend>& ctx) const { return static_cast<index>(cases_on_host(ctx).size()); }

  /// Waits for the device. Empty places are not saved.
  void save(context<Backend>& ctx, safetensors_file& file) const {
    const auto cases = cases_on_host(ctx);
    const auto filled = static_cast<index>(cases.size());
    if (filled == 0) return;
    const auto last = [&](const tensor_of<Backend>& all) {
      const auto part = ops::slice(ctx, all, 0, m_capacity - filled, m_capacity);
      return named_array::of(part.shape(), to_host(ctx.space(), part));
    };
    file.arrays["queue.maps"] = last(m_maps);
    file.arrays["queue.counts"] = last(m_counts);
    file.arrays["queue.cases"] = named_array::of(shape{filled}, cases);
  }
  /// Takes the queue of a checkpoint; without one it is empty. `select` and `push` refuse maps of another size.
  /// @throws io_error if maps (Q, V, K), counts (Q, K) and cases (Q) do not fit each other or the capacity, or a value
  /// is not finite
  void load(context<Backend>& ctx, const safetensors_file& file) {
    m_maps = m_counts = {};
    m_cases = {};
    const auto found = file.arrays.find("queue.cases");
    if (found == file.arrays.end()) return;
    const named_array &maps = file.at("queue.maps"), &counts = file.at("queue.counts");
    const shape &s = maps.shape, &cases = found->second.shape;
    if (s.rank() != 3 || s.size() == 0 || s[0] > m_capacity || !(cases == shape{s[0]}) ||
        !(counts.shape == shape{s[0], s[2]}))
      throw io_error(text("the checkpoint's queue has maps ", s.to_string(), ", counts ", counts.shape.to_string(),
                          " and cases ", cases.to_string(), ", expected (Q, V, K), (Q, K) and (Q) with Q from 1 to ",
                          m_capacity, "; the file is damaged or of a run with another length of the queue"));
    const auto read = [&](const named_array& array, const std::string& name) {
      auto values = array.template values<T>(name);
      for (const T v : values)
        if (!std::isfinite(v)) throw io_error(text("array '", name, "' holds a value that is not finite"));
      return values;
    };
    const auto numbers = found->second.template values<std::int64_t>("queue.cases");
    const auto map_values = read(maps, "queue.maps"), count_values = read(counts, "queue.counts");
    make_places(ctx, s[1], s[2]);
    const index empty = m_capacity - s[0];
    copy_from_host(ctx.space(), map_values.data(), maps.shape.size(), m_maps, empty * s[1] * s[2]);
    copy_from_host(ctx.space(), count_values.data(), counts.shape.size(), m_counts, empty * s[2]);
    copy_from_host(ctx.space(), numbers.data(), s[0], m_cases, empty);
  }

 private:
  static constexpr std::int64_t none = -1;  // the case of an empty place

  // A queue that was loaded holds maps of the run that saved it.
  void make_places(const variable<Backend>& maps) {
    if (m_capacity == 0) return;
    if (!m_cases) return make_places(maps.ctx(), maps.extent(1), maps.extent(2));
    if (m_maps.shape()[1] == maps.extent(1) && m_maps.shape()[2] == maps.extent(2)) return;
    throw shape_error(text("the queue holds maps ", m_maps.shape().to_string(), " (Q, V, K), this step's are ",
                           maps.shape().to_string(),
                           "; resume with the patch and classes that the run was begun with"));
  }
  void make_places(context<Backend>& ctx, index voxels, index classes) {
    m_maps = ops::full(ctx, {m_capacity, voxels, classes}, T(0));
    m_counts = ops::full(ctx, {m_capacity, classes}, T(0));
    m_cases = ctx.template make_of<std::int64_t>({m_capacity});
    ops::each(ctx, m_capacity, ssl_detail::no_case_body{none, m_cases.data()});
  }
  // Of the places that are filled.
  [[nodiscard]] std::vector<std::int64_t> cases_on_host(const context<Backend>& ctx) const {
    if (!m_cases) return {};
    auto all = to_host(ctx.space(), m_cases);
    all.erase(all.begin(), std::find_if(all.begin(), all.end(), [](std::int64_t c) { return c != none; }));
    return all;
  }

  index m_capacity;
  tensor_of<Backend> m_maps, m_counts;  // (Q, V, K), (Q, K)
  case_numbers<Backend> m_cases;        // (Q)
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
