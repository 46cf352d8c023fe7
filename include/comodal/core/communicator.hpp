// SPDX-License-Identifier: Apache-2.0
/// @file
/// Processes that train one model together: what they exchange. Only the communicator of a process by itself is here;
/// one over a network is a class with the same members.
#ifndef COMODAL_CORE_COMMUNICATOR_HPP
#define COMODAL_CORE_COMMUNICATOR_HPP

#include <comodal/core/context.hpp>
#include <comodal/core/ladder.hpp>

#include <concepts>
#include <memory>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// A type through which equal processes exchange tensors. All of them call the same members in the same order.
///  - `rank()`, `size()`: which process this is, from 0, and how many there are;
///  - `mean(ctx, values)`: each element becomes the mean over all processes. It works on the stream of `ctx`, and adds
///    in a fixed order, so that all processes get the same bytes;
///  - `broadcast(ctx, values)`: every process gets the values of rank 0.
/// Rank 0 writes files.
template <class T, class Backend>
concept communicator =
    requires(T& all, const T& fixed, context<Backend>& ctx, const typename context<Backend>::tensor_type& values) {
      { fixed.rank() } -> std::convertible_to<int>;
      { fixed.size() } -> std::convertible_to<int>;
      { all.mean(ctx, values) } -> std::same_as<void>;
      { all.broadcast(ctx, values) } -> std::same_as<void>;
    };

/// Says in plain words which member of a communicator is missing; only the first that is missing speaks.
template <class T, tensor_backend Backend>
constexpr void check_communicator() {
  using tensor_type = typename context<Backend>::tensor_type;
  if constexpr (!requires(const T& all) {
                  all.rank();
                  all.size();
                })
    static_assert(detail::never<T>,
                  "comodal: a communicator needs members rank() const and size() const: which process this is, and how "
                  "many there are");
  else if constexpr (!requires(T& all, context<Backend>& ctx, const tensor_type& values) { all.mean(ctx, values); })
    static_assert(detail::never<T>,
                  "comodal: a communicator needs a member mean(context<Backend>&, const tensor&): each element becomes "
                  "the mean over all processes");
  else if constexpr (!requires(T& all, context<Backend>& ctx, const tensor_type& values) {
                       all.broadcast(ctx, values);
                     })
    static_assert(detail::never<T>,
                  "comodal: a communicator needs a member broadcast(context<Backend>&, const tensor&): every process "
                  "gets the values of rank 0");
  else if constexpr (!communicator<T, Backend>)
    static_assert(detail::never<T>,
                  "comodal: rank() and size() of a communicator return integers, mean() and broadcast() nothing");
}

/// A process by itself: nothing is exchanged.
struct self_communicator {
  [[nodiscard]] static constexpr int rank() { return 0; }
  [[nodiscard]] static constexpr int size() { return 1; }
  template <class Context, class Tensor>
  void mean(Context&, const Tensor&) const {}
  template <class Context, class Tensor>
  void broadcast(Context&, const Tensor&) const {}
};

/// Any communicator, chosen at run time; copies share it.
template <tensor_backend Backend>
class any_communicator {
 public:
  using tensor_type = typename context<Backend>::tensor_type;

  any_communicator() : any_communicator(self_communicator{}) {}
  template <class Communicator>
    requires(!std::same_as<Communicator, any_communicator>)
  explicit any_communicator(Communicator all) : m_all(std::make_shared<model<Communicator>>(std::move(all))) {
    check_communicator<Communicator, Backend>();
  }
  [[nodiscard]] int rank() const { return m_all->rank(); }
  [[nodiscard]] int size() const { return m_all->size(); }
  /// True for the process that writes files.
  [[nodiscard]] bool writes() const { return rank() == 0; }
  void mean(context<Backend>& ctx, const tensor_type& values) const { m_all->mean(ctx, values); }
  void broadcast(context<Backend>& ctx, const tensor_type& values) const { m_all->broadcast(ctx, values); }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual int rank() const = 0;
    virtual int size() const = 0;
    virtual void mean(context<Backend>&, const tensor_type&) = 0;
    virtual void broadcast(context<Backend>&, const tensor_type&) = 0;
  };
  template <class Communicator>
  struct model final : interface {
    explicit model(Communicator c) : all(std::move(c)) {}
    int rank() const override { return all.rank(); }
    int size() const override { return all.size(); }
    void mean(context<Backend>& ctx, const tensor_type& values) override { all.mean(ctx, values); }
    void broadcast(context<Backend>& ctx, const tensor_type& values) override { all.broadcast(ctx, values); }
    Communicator all;
  };
  std::shared_ptr<interface> m_all;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
