// SPDX-License-Identifier: Apache-2.0
/// @file
/// What operations run in: the execution-space instance and the memory pool, with what `context_base` keeps. Owned by
/// the user; there are no mutable globals.
#ifndef COMODAL_CORE_CONTEXT_HPP
#define COMODAL_CORE_CONTEXT_HPP

#include <comodal/core/backend.hpp>
#include <comodal/core/context_base.hpp>
#include <comodal/core/memory.hpp>
#include <comodal/core/profile.hpp>
#include <comodal/core/tensor.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace detail {

// What contexts of several scalars share.
template <execution_space Space>
struct context_state : context_state_base {
  explicit context_state(Space s) : space(std::move(s)) {}
  ~context_state() { drop_kept(); }  // while the space and the pool that it may hold live
  context_state(const context_state&) = delete;
  context_state& operator=(const context_state&) = delete;

  Space space;
  std::shared_ptr<memory_pool<Space>> pool = std::make_shared<memory_pool<Space>>();
};

}  // namespace detail

/// The environment of operations of one back end. Not thread-safe: one context per thread. It must not outlive
/// `runtime`.
template <tensor_backend Backend = default_backend>
class context : public context_base {
  using state = detail::context_state<typename Backend::space_type>;
  std::shared_ptr<state> m_state;

 public:
  using space_type = typename Backend::space_type;
  using scalar_type = typename Backend::scalar_type;
  using compute_type = compute_type_t<scalar_type>;
  using tensor_type = tensor<scalar_type, space_type>;

  explicit context(space_type space = space_type{}) : context(std::make_shared<state>(std::move(space))) {}
  /// The environment of `other` for another scalar: its stream, memory, counters, policies and recorder, now and later.
  template <tensor_backend Other>
    requires(!std::same_as<Other, Backend> && std::same_as<typename Other::space_type, typename Backend::space_type>)
  explicit context(const context<Other>& other) : context(other.m_state) {}

  [[nodiscard]] const space_type& space() const { return m_state->space; }
  [[nodiscard]] memory_pool<space_type>& pool() { return *m_state->pool; }
  void fence() const {
    ++detail::synchronisations;
    m_state->space.fence();
  }

  /// An uninitialised tensor from this context's pool.
  [[nodiscard]] tensor_type make(const shape& extents) { return tensor_type(*m_state->pool, extents); }
  /// The same for another scalar, for example indices or double sums.
  template <class Scalar>
  [[nodiscard]] tensor<Scalar, space_type> make_of(const shape& extents) {
    return tensor<Scalar, space_type>(*m_state->pool, extents);
  }
  /// A tensor with values from the host. @throws shape_error unless there is one value per element
  [[nodiscard]] tensor_type make(const shape& extents, const std::vector<scalar_type>& values) {
    tensor_type result = make(extents);
    copy_from_host(m_state->space, values, result);
    return result;
  }

 private:
  template <tensor_backend>
  friend class context;
  explicit context(const std::shared_ptr<state>& shared) : context_base(*shared), m_state(shared) {}
};

/// The tensors of a back end.
template <tensor_backend Backend>
using tensor_of = typename context<Backend>::tensor_type;

/// The stretch of one operation, for the context's recorder. Without a recorder it costs a comparison.
template <tensor_backend Backend>
class operation_scope {
 public:
  /// @param operation a string literal
  operation_scope(context<Backend>& ctx, const char* operation, bool backward = false)
      : m_context(&ctx), m_recorder(ctx.recorder) {
    if (m_recorder) m_recorder->begin(operation, backward, ctx.pool().statistics().in_use);
  }
  // An error of the device that shows here shows again in the next call that may throw.
  ~operation_scope() {
    if (!m_recorder) return;
    try {
      m_context->fence();
    } catch (...) {
    }
    m_recorder->end(m_context->pool().statistics().in_use);
  }
  operation_scope(const operation_scope&) = delete;
  operation_scope& operator=(const operation_scope&) = delete;

 private:
  context<Backend>* m_context;
  profile* m_recorder;
};

/// Names the part of a network that runs, for the context's recorder: `layer_scope(ctx, "stream", 0, "stage", 1)` is
/// "stream 0 stage 1", below the layer that is open.
template <tensor_backend Backend>
class layer_scope {
 public:
  template <class... Parts>
  explicit layer_scope(context<Backend>& ctx, const Parts&... parts) : m_recorder(ctx.recorder) {
    if (!m_recorder) return;
    m_before = m_recorder->layer;
    ((m_recorder->layer += m_recorder->layer.empty() ? text(parts) : text(' ', parts)), ...);
  }
  ~layer_scope() {
    if (m_recorder) m_recorder->layer = std::move(m_before);
  }
  layer_scope(const layer_scope&) = delete;
  layer_scope& operator=(const layer_scope&) = delete;

 private:
  profile* m_recorder;
  std::string m_before;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
