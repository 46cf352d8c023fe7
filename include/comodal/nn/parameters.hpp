// SPDX-License-Identifier: Apache-2.0
/// @file
/// Named parameters of a network: made under a path of module names, initialised from a seed and their own name.
#ifndef COMODAL_NN_PARAMETERS_HPP
#define COMODAL_NN_PARAMETERS_HPP

#include <comodal/autograd/variable.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A parameter: its path (`fusion.2.gate.weight`), its value, and whether weight decay applies to it.
template <tensor_backend Backend>
struct parameter {
  std::string name;
  variable<Backend> value;
  bool decay = true;
};

/// Elements to which places in an arena are rounded: 64 bytes of the shortest scalar, so that copies in another scalar
/// have the places of their masters.
inline constexpr index arena_grain = 32;

/// All parameters of one network, in the order in which they were made. Two networks built alike have the same names.
///
/// `seal()` moves them into one arena of values, and their gradients into one of gradients: optimisers, averages and
/// sums over processes are then one kernel over all parameters. Parameters with weight decay come first, gaps are zero.
/// A moved or copied handle on a parameter shows the arena.
template <tensor_backend Backend>
class parameter_store {
 public:
  using scalar_type = typename Backend::scalar_type;
  using tensor_type = typename variable<Backend>::tensor_type;

  /// @param seed the initial values depend on it and on the parameters' names alone
  parameter_store(tape<Backend>& home, std::uint64_t seed) : m_home(&home), m_seed(seed) {}
  /// Copies in this scalar of the parameters of `masters`, where each is made first under the same name and with its
  /// initial values.
  template <tensor_backend Master>
    requires(!std::same_as<Master, Backend>)
  parameter_store(tape<Backend>& home, std::shared_ptr<parameter_store<Master>> masters) : m_home(&home), m_seed(0) {
    m_arena->version = masters->version();
    m_master = [masters = std::move(masters), this_home = &home](const std::string& name, const shape& extents,
                                                                 bool random, double number) {
      const auto master = random ? masters->normal(name, extents, number) : masters->constant(name, extents, number);
      return made_copy{ops::cast(this_home->ctx(), master.value()),
                       [to = master.sink()](const tensor_type& gradient) { to.accumulate(gradient); }};
    };
  }
  parameter_store(const parameter_store&) = delete;
  parameter_store& operator=(const parameter_store&) = delete;
  parameter_store(parameter_store&&) = default;

  /// The tape on which operations of the parameters are recorded.
  [[nodiscard]] tape<Backend>& home() const { return *m_home; }
  [[nodiscard]] const std::vector<parameter<Backend>>& all() const { return m_all; }
  /// The number of scalars in all parameters.
  [[nodiscard]] index count() const {
    index total = 0;
    for (const auto& p : m_all) total += p.value.shape().size();
    return total;
  }

  /// A parameter of normal values with the given standard deviation. @throws config_error if the name is taken
  variable<Backend> normal(const std::string& name, const shape& extents, double deviation) {
    if (m_master) return add_copy(name, m_master(name, extents, true, deviation), true);
    random_stream draw(m_seed, random_purpose::initialisation, hash_name(name));
    std::vector<scalar_type> values(static_cast<std::size_t>(extents.size()));
    for (auto& v : values) v = static_cast<scalar_type>(draw.normal(0, deviation));
    return add(name, m_home->ctx().make(extents, values), true);
  }
  /// A parameter of one value, without weight decay: norms, biases, gates. @throws config_error if the name is taken
  variable<Backend> constant(const std::string& name, const shape& extents, double value) {
    if (m_master) return add_copy(name, m_master(name, extents, false, value), false);
    return add(name, ops::full(m_home->ctx(), extents, static_cast<scalar_type>(value)), false);
  }

  /// Drops all gradients: of a sealed store one kernel, if any arrived.
  void zero_grad() const {
    if (!sealed()) {
      for (const auto& p : m_all) p.value.zero_grad();
      return;
    }
    bool any = false;
    for (const auto& p : m_all) any = std::exchange(p.value.m_slot->grad, tensor_type{}) || any;
    if (any) ops::fill(m_home->ctx(), m_arena->gradients, scalar_type(0));
  }

  /// Lays out the arenas; a store that is sealed stays as it is. The first optimiser or average of a store calls it.
  /// Values and gradients stay what they are, in new places: tensors that `value()` gave earlier are then copies. From
  /// now on no parameter can be added.
  void seal() const {
    if (sealed()) return;
    auto& ctx = m_home->ctx();
    index size = 0, decayed = 0;
    std::vector<index> offsets(m_all.size());
    for (const bool decay : {true, false}) {
      for (std::size_t i = 0; i < m_all.size(); ++i)
        if (m_all[i].decay == decay) {
          offsets[i] = size;
          size += (m_all[i].value.shape().size() + arena_grain - 1) / arena_grain * arena_grain;
        }
      if (decay) decayed = size;
    }
    const tensor_type values = ops::full(ctx, {std::max(size, arena_grain)}, scalar_type(0));
    for (std::size_t i = 0; i < m_all.size(); ++i) {
      const auto& value = m_all[i].value.value();
      ops::copy_to(ctx, value, values.part(offsets[i], value.shape()));
    }
    m_arena->values = values;
    m_arena->size = values.size();
    m_arena->decayed = decayed;
    for (std::size_t i = 0; i < m_all.size(); ++i) {
      place_of(m_all[i]).offset = offsets[i];
      *m_all[i].value.m_value = part(values, m_all[i]);
    }
    for (const auto& p : m_all)
      if (const tensor_type gradient = std::exchange(p.value.m_slot->grad, tensor_type{}))
        p.value.sink().accumulate(gradient);
    ctx.pool().release();  // many small buffers that nothing will ask for again
  }
  [[nodiscard]] bool sealed() const { return m_arena->size > 0; }

  /// The arena of all values, (elements), of a sealed store. Who writes there calls `changed()`.
  [[nodiscard]] const tensor_type& values() const {
    seal();
    return m_arena->values;
  }
  /// The arena of all gradients, (elements): zero where none arrived.
  [[nodiscard]] const tensor_type& gradients() const {
    seal();
    return m_arena->gradients_in(m_home->ctx());
  }
  /// Elements at the front of the arenas to which weight decay applies.
  [[nodiscard]] index decayed() const { return m_arena->decayed; }
  /// The elements of a parameter in an arena of this store's layout: values, gradients, or an optimiser's state.
  [[nodiscard]] tensor_type part(const tensor_type& arena, const parameter<Backend>& p) const {
    return arena.part(place_of(p).offset, p.value.shape());
  }
  /// True if the parameters of both stores, which are sealed here, have the same places.
  template <tensor_backend Other>
  [[nodiscard]] bool laid_out_like(const parameter_store<Other>& other) const {
    bool same = values().size() == other.values().size() && m_all.size() == other.all().size();
    for (std::size_t i = 0; same && i < m_all.size(); ++i)
      same = place_of(m_all[i]).offset == other.place_of(other.all()[i]).offset;
    return same;
  }

  /// Says that values were changed in place: a backward pass through operations that used the old ones will throw.
  void changed() const {
    m_home->ctx().change_and_record([version = m_arena->version] { ++*version; });
  }
  /// Counts the changes of values; shared with the copies of this store in another scalar.
  [[nodiscard]] const std::shared_ptr<detail::value_version>& version() const { return m_arena->version; }

  /// True if a gradient reached any parameter since the last `zero_grad`.
  [[nodiscard]] bool any_gradient() const {
    return std::any_of(m_all.begin(), m_all.end(), [](const auto& p) { return static_cast<bool>(p.value.grad()); });
  }
  /// For kernels over the arena: one byte per `arena_grain` elements, 1 where a gradient reached the parameter; null if
  /// every parameter was reached. Copies to the device, and waits, only when the set has changed since the last call.
  [[nodiscard]] const std::uint8_t* reached() const {
    const auto has_gradient = [](const parameter<Backend>& p) { return static_cast<bool>(p.value.grad()); };
    if (std::all_of(m_all.begin(), m_all.end(), has_gradient)) return nullptr;
    m_reached_now.assign(static_cast<std::size_t>(m_arena->size / arena_grain), 1);
    for (const auto& p : m_all)
      if (!has_gradient(p))
        std::fill_n(m_reached_now.begin() + place_of(p).offset / arena_grain,
                    (p.value.shape().size() + arena_grain - 1) / arena_grain, std::uint8_t{0});
    if (m_reached_now != m_reached_host) {
      m_reached = m_home->ctx().template make_of<std::uint8_t>({static_cast<index>(m_reached_now.size())});
      copy_from_host(m_home->ctx().space(), m_reached_now, m_reached);
      m_reached_host = m_reached_now;
    }
    return m_reached.data();
  }

 private:
  template <tensor_backend>
  friend class parameter_store;
  struct made_copy {
    tensor_type value;
    std::function<void(const tensor_type&)> hand_on;
  };

  detail::parameter_place<Backend>& place_of(const parameter<Backend>& p) const { return *p.value.m_slot->place; }
  variable<Backend> add_copy(const std::string& name, made_copy copy, bool decay) {
    const auto added = add(name, std::move(copy.value), decay);
    place_of(m_all.back()).hand_on = std::move(copy.hand_on);
    return added;
  }

  variable<Backend> add(const std::string& name, tensor_type value, bool decay) {
    if (sealed())
      throw config_error(text("parameter '", name,
                              "': the store is sealed, as an optimiser or an average has laid out "
                              "its parameters; make all of a network before it is trained"));
    if (!m_places.emplace(name, m_all.size()).second)
      throw config_error(text("parameter '", name, "' exists already; give each module a name of its own"));
    m_all.push_back({name, m_home->leaf(std::move(value)), decay});
    auto& place = m_all.back().value.m_slot->place;
    place = std::make_shared<detail::parameter_place<Backend>>();
    place->arena = m_arena;
    return m_all.back().value;
  }

  tape<Backend>* m_home;
  std::uint64_t m_seed;
  std::function<made_copy(const std::string& name, const shape& extents, bool random, double number)> m_master;
  std::vector<parameter<Backend>> m_all;
  std::map<std::string, std::size_t> m_places;
  std::shared_ptr<detail::parameter_arena<Backend>> m_arena = std::make_shared<detail::parameter_arena<Backend>>();
  mutable std::vector<std::uint8_t> m_reached_now, m_reached_host;  // of this update; what m_reached holds
  mutable tensor<std::uint8_t, typename Backend::space_type> m_reached;
};

/// A store and a path in it: what a module is constructed with. `scope / "conv"` is the path below.
template <tensor_backend Backend>
class parameter_scope {
 public:
  parameter_scope(parameter_store<Backend>& store, std::string path = "") : m_store(&store), m_path(std::move(path)) {}

  [[nodiscard]] parameter_scope operator/(const std::string& name) const {
    return {*m_store, m_path.empty() ? name : m_path + "." + name};
  }
  [[nodiscard]] parameter_scope operator/(index number) const { return *this / std::to_string(number); }
  [[nodiscard]] parameter_store<Backend>& store() const { return *m_store; }
  [[nodiscard]] const std::string& path() const { return m_path; }

  /// Weights after He et al. 2015: normal with variance 2 / ((1 + slope^2) fan_in). For a filter (KD, KH, KW, in, out),
  /// fan_in is KD KH KW in; for a matrix (in, out) it is in.
  [[nodiscard]] variable<Backend> he_normal(const std::string& name, const shape& extents, double slope = 0.01) const {
    const index fan_in = extents.product(0, extents.rank() - 1);
    return m_store->normal((*this / name).path(), extents,
                           std::sqrt(2 / ((1 + slope * slope) * static_cast<double>(fan_in))));
  }
  /// One value everywhere, no weight decay.
  [[nodiscard]] variable<Backend> constant(const std::string& name, const shape& extents, double value) const {
    return m_store->constant((*this / name).path(), extents, value);
  }

 private:
  parameter_store<Backend>* m_store;
  std::string m_path;
};

/// Refuses stores that were not built alike. @param what the caller, for the message
/// @throws config_error where number or names of parameters differ, shape_error where shapes do
template <tensor_backend Backend>
void expect_alike(const char* what, const parameter_store<Backend>& from, const parameter_store<Backend>& to) {
  if (from.all().size() != to.all().size())
    throw config_error(text(what, ": ", from.all().size(), " parameters for ", to.all().size()));
  for (std::size_t i = 0; i < from.all().size(); ++i) {
    const auto &source = from.all()[i], &target = to.all()[i];
    if (source.name != target.name) throw config_error(text(what, ": '", source.name, "' for '", target.name, "'"));
    if (!(source.value.shape() == target.value.shape()))
      throw shape_error(text(what, ": '", source.name, "' is ", source.value.shape().to_string(), " for ",
                             target.value.shape().to_string()));
  }
}

/// Copies the values of all parameters; the stores were built alike. @throws config_error, shape_error otherwise
template <tensor_backend Backend>
void copy_parameters(const parameter_store<Backend>& from, const parameter_store<Backend>& to) {
  expect_alike("copy_parameters", from, to);
  for (std::size_t i = 0; i < from.all().size(); ++i) {
    const auto &source = from.all()[i], &target = to.all()[i];
    target.value.assign(ops::copy(target.value.ctx(), source.value.value()));
  }
}

#define COMODAL_PARAMETERS(kind, Backend) \
  kind class parameter_store<Backend>;    \
  kind class parameter_scope<Backend>;
COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(COMODAL_PARAMETERS)

}  // namespace comodal::inline COMODAL_CONFIG

#endif
