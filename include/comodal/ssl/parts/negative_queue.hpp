// SPDX-License-Identifier: Apache-2.0
/// @file
/// Maps of other cases that a contrast pushes away from: those of this step and a queue of earlier ones.
#ifndef COMODAL_SSL_PARTS_NEGATIVE_QUEUE_HPP
#define COMODAL_SSL_PARTS_NEGATIVE_QUEUE_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/nn/state.hpp>

#include <cmath>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// The last maps of earlier steps, detached, with the case of each and the classes that count in it.
template <tensor_backend Backend>
class negative_queue {
 public:
  using T = typename Backend::scalar_type;

  /// Negatives for the samples of a step: the step's own maps, then the queue.
  struct selection {
    variable<Backend> maps;     // (J, V, K); empty if there is none
    variable<Backend> allowed;  // (N, J, K): 1 where the negative is of another case and the class counts in it
  };

  explicit negative_queue(index capacity) : m_capacity(capacity) {}

  /// @param maps (N, V, K) of this step @param counts (N, K) the classes that count in them @param cases of the N
  /// samples
  [[nodiscard]] selection select(const variable<Backend>& maps, const variable<Backend>& counts,
                                 const std::vector<std::uint32_t>& cases) const {
    auto& home = maps.home();
    check_fits(maps);
    const index n = maps.extent(0), k = maps.extent(2), queued = static_cast<index>(m_cases.size());
    std::vector<variable<Backend>> all{maps}, counting{counts};
    if (queued > 0) {
      all.push_back(home.constant(m_maps));
      counting.push_back(home.constant(m_counts));
    }
    std::vector<T> other;
    for (const std::uint32_t own : cases) {
      for (const std::uint32_t c : cases) other.push_back(c == own ? T(0) : T(1));
      for (const std::int64_t c : m_cases) other.push_back(c == static_cast<std::int64_t>(own) ? T(0) : T(1));
    }
    const auto allowed =
        multiply(home.constant({n, n + queued, 1}, other), reshape(concat(counting, 0), {1, n + queued, k}));
    return {concat(all, 0), allowed};
  }

  /// Adds the maps of a step; the oldest leave.
  void push(const variable<Backend>& maps, const variable<Backend>& counts, const std::vector<std::uint32_t>& cases) {
    if (m_capacity == 0) return;
    check_fits(maps);
    auto& ctx = maps.ctx();
    m_maps = m_cases.empty() ? maps.value() : ops::concat<Backend>(ctx, {m_maps, maps.value()}, 0);
    m_counts = m_cases.empty() ? counts.value() : ops::concat<Backend>(ctx, {m_counts, counts.value()}, 0);
    m_cases.insert(m_cases.end(), cases.begin(), cases.end());
    const index surplus = static_cast<index>(m_cases.size()) - m_capacity;
    if (surplus <= 0) return;
    m_maps = ops::slice(ctx, m_maps, 0, surplus, m_maps.extent(0));
    m_counts = ops::slice(ctx, m_counts, 0, surplus, m_counts.extent(0));
    m_cases.erase(m_cases.begin(), m_cases.begin() + surplus);
  }

  [[nodiscard]] index size() const { return static_cast<index>(m_cases.size()); }

  void save(context<Backend>& ctx, safetensors_file& file) const {
    if (m_cases.empty()) return;
    file.arrays["queue.maps"] = named_array::of(m_maps.shape(), to_host(ctx.space(), m_maps));
    file.arrays["queue.counts"] = named_array::of(m_counts.shape(), to_host(ctx.space(), m_counts));
    file.arrays["queue.cases"] = named_array::of(shape{size()}, m_cases);
  }
  /// Takes the queue of a checkpoint; without one it is empty. `select` and `push` refuse maps of another size.
  /// @throws io_error if maps (Q, V, K), counts (Q, K) and cases (Q) do not fit each other or the capacity, or a value
  /// is not finite
  void load(context<Backend>& ctx, const safetensors_file& file) {
    m_cases.clear();
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
      const auto values = array.template values<T>(name);
      for (const T v : values)
        if (!std::isfinite(v)) throw io_error(text("array '", name, "' holds a value that is not finite"));
      return ctx.make(array.shape, values);
    };
    auto numbers = found->second.template values<std::int64_t>("queue.cases");
    m_maps = read(maps, "queue.maps");
    m_counts = read(counts, "queue.counts");
    m_cases = std::move(numbers);
  }

 private:
  // A queue that was loaded holds maps of the run that saved it.
  void check_fits(const variable<Backend>& maps) const {
    if (m_cases.empty() || (m_maps.shape()[1] == maps.extent(1) && m_maps.shape()[2] == maps.extent(2))) return;
    throw shape_error(text("the queue holds maps ", m_maps.shape().to_string(), " (Q, V, K), this step's are ",
                           maps.shape().to_string(),
                           "; resume with the patch and classes that the run was begun with"));
  }

  index m_capacity;
  typename context<Backend>::tensor_type m_maps, m_counts;
  std::vector<std::int64_t> m_cases;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
