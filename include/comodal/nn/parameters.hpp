// SPDX-License-Identifier: Apache-2.0
/// @file
/// Named parameters of a network: made under a path of module names, initialised from a seed and their own name.
#ifndef COMODAL_NN_PARAMETERS_HPP
#define COMODAL_NN_PARAMETERS_HPP

#include <comodal/autograd/variable.hpp>
#include <comodal/core/random.hpp>

#include <cmath>
#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A parameter: its path (`fusion.2.gate.weight`), its value, and whether weight decay applies to it.
template <tensor_backend Backend>
struct parameter {
  std::string name;
  variable<Backend> value;
  bool decay = true;
};

/// All parameters of one network, in the order in which they were made. Two networks built alike have the same names.
template <tensor_backend Backend>
class parameter_store {
 public:
  using scalar_type = typename Backend::scalar_type;

  /// @param seed the initial values depend on it and on the parameters' names alone
  parameter_store(tape<Backend>& home, std::uint64_t seed) : m_home(&home), m_seed(seed) {}
  /// Copies in this scalar of the parameters of `masters`, where each is made first under the same name and with its
  /// initial values.
  template <tensor_backend Master>
    requires(!std::same_as<Master, Backend>)
  parameter_store(tape<Backend>& home, std::shared_ptr<parameter_store<Master>> masters)
      : m_home(&home),
        m_seed(0),
        m_master([masters = std::move(masters), &home](const std::string& name, const shape& extents, bool random,
                                                       double number) {
          return ops::cast(
              home.ctx(),
              (random ? masters->normal(name, extents, number) : masters->constant(name, extents, number)).value());
        }) {}
  parameter_store(const parameter_store&) = delete;
  parameter_store& operator=(const parameter_store&) = delete;
  parameter_store(parameter_store&&) = default;

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
    if (m_master) return add(name, m_master(name, extents, true, deviation), true);
    random_stream draw(m_seed, random_purpose::initialisation, hash_name(name));
    std::vector<scalar_type> values(static_cast<std::size_t>(extents.size()));
    for (auto& v : values) v = static_cast<scalar_type>(draw.normal(0, deviation));
    return add(name, m_home->ctx().make(extents, values), true);
  }
  /// A parameter of one value, without weight decay: norms, biases, gates. @throws config_error if the name is taken
  variable<Backend> constant(const std::string& name, const shape& extents, double value) {
    if (m_master) return add(name, m_master(name, extents, false, value), false);
    return add(name, ops::full(m_home->ctx(), extents, static_cast<scalar_type>(value)), false);
  }

  void zero_grad() const {
    for (const auto& p : m_all) p.value.zero_grad();
  }

 private:
  using tensor_type = typename variable<Backend>::tensor_type;

  variable<Backend> add(const std::string& name, tensor_type value, bool decay) {
    if (!m_places.emplace(name, m_all.size()).second)
      throw config_error(text("parameter '", name, "' exists already; give each module a name of its own"));
    m_all.push_back({name, m_home->leaf(std::move(value)), decay});
    return m_all.back().value;
  }

  tape<Backend>* m_home;
  std::uint64_t m_seed;
  std::function<tensor_type(const std::string& name, const shape& extents, bool random, double number)> m_master;
  std::vector<parameter<Backend>> m_all;
  std::map<std::string, std::size_t> m_places;
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

}  // namespace comodal::inline COMODAL_CONFIG

#endif
