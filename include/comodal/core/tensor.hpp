// SPDX-License-Identifier: Apache-2.0
/// @file
/// The one tensor type: a shape and a shared, contiguous, row-major buffer in the memory of an execution space.
/// Images are channels last: (N, D, H, W, C).
#ifndef COMODAL_CORE_TENSOR_HPP
#define COMODAL_CORE_TENSOR_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/device_api.hpp>
#include <comodal/core/memory.hpp>
#include <comodal/core/shape.hpp>

#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A handle on a buffer: copies share it, like Kokkos views. An empty tensor has no buffer (`!t`).
template <class Scalar, execution_space Space = default_space>
class tensor {
 public:
  using scalar_type = Scalar;
  using space_type = Space;

  tensor() = default;
  /// Uninitialised elements from `pool`. @throws shape_error, out_of_memory_error for too many
  tensor(memory_pool<Space>& pool, comodal::shape extents)
      : m_shape(extents), m_buffer(pool.allocate(bytes_of(extents))) {}

  [[nodiscard]] const comodal::shape& shape() const { return m_shape; }
  [[nodiscard]] index extent(int axis) const { return m_shape[axis]; }
  [[nodiscard]] index size() const { return m_buffer ? m_shape.size() : 0; }
  [[nodiscard]] int rank() const { return m_shape.rank(); }
  /// Pointer in the memory of `Space`.
  [[nodiscard]] Scalar* data() const { return reinterpret_cast<Scalar*>(m_buffer.get()); }
  explicit operator bool() const { return static_cast<bool>(m_buffer); }
  /// True if no other tensor shares the buffer.
  [[nodiscard]] bool unique() const { return m_buffer.use_count() == 1; }

  /// The same buffer with other extents. @throws shape_error unless the number of elements is the same
  [[nodiscard]] tensor reshaped(comodal::shape extents) const {
    if (extents.size() != m_shape.size())
      throw shape_error(text("reshape: ", m_shape.to_string(), " has ", m_shape.size(), " elements, ",
                             extents.to_string(), " needs ", extents.size()));
    tensor result = *this;
    result.m_shape = extents;
    return result;
  }

  /// The elements [first, first + extents.size()) as a tensor that shares this one's buffer. @throws shape_error beyond
  /// its end
  [[nodiscard]] tensor part(index first, comodal::shape extents) const {
    if (first < 0 || extents.size() > size() - first)
      throw shape_error(text("part: ", extents.to_string(), " at ", first, " of a tensor ", m_shape.to_string()));
    tensor result;
    result.m_shape = extents;
    result.m_buffer = std::shared_ptr<std::byte>(
        m_buffer, m_buffer.get() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(first) * sizeof(Scalar)));
    return result;
  }

  /// The bytes from `first_byte` on as a tensor of another scalar, which shares this one's buffer. @throws shape_error
  /// beyond its end, or where an element would not be aligned
  template <class Other>
  [[nodiscard]] tensor<Other, Space> bytes_as(std::size_t first_byte, comodal::shape extents) const {
    const std::size_t all = static_cast<std::size_t>(size()) * sizeof(Scalar);
    const std::size_t wanted = tensor<Other, Space>::bytes_of(extents);
    if (first_byte > all || wanted > all - first_byte || first_byte % sizeof(Other) != 0)
      throw shape_error(text("bytes_as: ", extents.to_string(), " at byte ", first_byte, " of ", all));
    tensor<Other, Space> result;
    result.m_shape = extents;
    result.m_buffer = std::shared_ptr<std::byte>(m_buffer, m_buffer.get() + static_cast<std::ptrdiff_t>(first_byte));
    return result;
  }

 private:
  template <class, execution_space>
  friend class tensor;
  static std::size_t bytes_of(const comodal::shape& extents) {
    const auto count = static_cast<std::size_t>(extents.size());
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(Scalar))
      throw shape_error(text("tensor ", extents.to_string(), ": more bytes than there are addresses"));
    return count * sizeof(Scalar);
  }

  comodal::shape m_shape;
  std::shared_ptr<std::byte> m_buffer;
};

namespace detail {

inline thread_local index sent = 0;

template <class Space, class Scalar>
void copy_bytes(const Space& space, Scalar* to, const Scalar* from, index count, bool to_host, bool from_host) {
  if (count == 0) return;
  using host_view = Kokkos::View<Scalar*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using const_host_view = Kokkos::View<const Scalar*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using view = Kokkos::View<Scalar*, typename Space::memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using const_view = Kokkos::View<const Scalar*, typename Space::memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  const auto n = static_cast<std::size_t>(count);
  if constexpr (is_host_v<Space>) {
    std::memcpy(to, from, n * sizeof(Scalar));
  } else if (to_host) {
    Kokkos::deep_copy(space, host_view(to, n), const_view(from, n));
    space.fence();
  } else if (from_host) {
    Kokkos::deep_copy(space, view(to, n), const_host_view(from, n));
    space.fence();
  } else {
    Kokkos::deep_copy(space, view(to, n), const_view(from, n));
  }
}

}  // namespace detail

/// How often this thread has sent data to an execution space without waiting: once per step the numbers of the step
/// block, once per batch its crops. Also counted on the host, where they are written in place.
[[nodiscard]] inline index uploads() { return detail::sent; }

/// Copies `count` elements from the host to the elements [first, first + count) of a tensor. @throws shape_error beyond
/// its end
template <class Scalar, class Space>
void copy_from_host(const Space& space, const Scalar* values, index count, const tensor<Scalar, Space>& out,
                    index first = 0) {
  if (first < 0 || count < 0 || first + count > out.size())
    throw shape_error(text("copy_from_host: ", count, " values at ", first, " of a tensor ", out.shape().to_string()));
  ++detail::synchronisations;
  detail::copy_bytes(space, out.data() + first, values, count, false, true);
}

/// Copies elements from the host. `values` has `out.size()` elements. @throws shape_error otherwise
template <class Scalar, class Space>
void copy_from_host(const Space& space, const std::vector<Scalar>& values, const tensor<Scalar, Space>& out) {
  if (static_cast<index>(values.size()) != out.size())
    throw shape_error(text("copy_from_host: ", values.size(), " values for a tensor ", out.shape().to_string()));
  ++detail::synchronisations;
  detail::copy_bytes(space, out.data(), values.data(), out.size(), false, true);
}

/// The elements on the host, in order; waits for the space.
template <class Scalar, class Space>
[[nodiscard]] std::vector<Scalar> to_host(const Space& space, const tensor<Scalar, Space>& in) {
  std::vector<Scalar> values(static_cast<std::size_t>(in.size()));
  ++detail::synchronisations;
  detail::copy_bytes(space, values.data(), static_cast<const Scalar*>(in.data()), in.size(), true, false);
  return values;
}

#define COMODAL_TENSOR(kind)                \
  kind class memory_pool<default_space>;    \
  kind class tensor<float, default_space>;  \
  kind class tensor<double, default_space>; \
  kind class tensor<bfloat16, default_space>;
COMODAL_COMMON_ELSEWHERE(COMODAL_TENSOR)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
