// SPDX-License-Identifier: Apache-2.0
/// @file
/// The optimisers of a method: one per trained store, all with the same options.
#ifndef COMODAL_TRAIN_OPTIMISER_SET_HPP
#define COMODAL_TRAIN_OPTIMISER_SET_HPP

#include <comodal/ssl/method.hpp>
#include <comodal/train/optimiser_registry.hpp>

#include <set>

namespace comodal::inline COMODAL_CONFIG {

/// Updates every trained store of a method. Each store is clipped by the norm of its own gradient. The stores must
/// outlive the set.
template <tensor_backend Backend>
class optimiser_set {
 public:
  /// @param names what `options.name` stands for
  /// @throws config_error for options that make no sense, for no store, and for names that are empty, hold a '/' or
  /// come twice
  optimiser_set(const optimiser_options& options, std::vector<named_store<Backend>> trained,
                const optimiser_registry<Backend>& names = optimiser_registry<Backend>::built_in())
      : m_trained(std::move(trained)) {
    if (m_trained.empty()) throw config_error("the method trains nothing: trained() is empty");
    std::set<std::string> seen;
    for (const auto& [name, store] : m_trained) {
      if (name.empty() || name.find('/') != std::string::npos || !seen.insert(name).second)
        throw config_error(text("trained(): '", name, "' names a store, expected a name of its own without '/'"));
      m_optimisers.push_back(names.make_optimiser(options));
    }
  }

  void zero_grad() const {
    for (const auto& one : m_trained) one.store->zero_grad();
  }
  /// Announces the numbers of a step to come, so that `begin_step` sends them with all others.
  void prepare(double rate, std::uint32_t step) {
    for (std::size_t i = 0; i < m_trained.size(); ++i) m_optimisers[i].prepare(*m_trained[i].store, rate, step);
  }
  /// True if all optimisers announce their numbers, so that a recorded update can be replayed.
  [[nodiscard]] bool prepares() const {
    return std::all_of(m_optimisers.begin(), m_optimisers.end(), [](const auto& one) { return one.prepares(); });
  }
  /// Updates all parameters that have a gradient. @return per store (norm of the gradient, factor that clipped it)
  std::vector<variable<Backend>> update(double rate, std::uint32_t step) {
    std::vector<variable<Backend>> norms;
    for (std::size_t i = 0; i < m_trained.size(); ++i)
      norms.push_back(m_optimisers[i].update(*m_trained[i].store, rate, step));
    return norms;
  }

  [[nodiscard]] const std::vector<named_store<Backend>>& trained() const { return m_trained; }
  /// The number of scalars that are trained.
  [[nodiscard]] index count() const {
    index total = 0;
    for (const auto& one : m_trained) total += one.store->count();
    return total;
  }

  /// Adds the state of every optimiser as "<store>/optimiser. ...".
  void save(safetensors_file& file) const {
    for (std::size_t i = 0; i < m_trained.size(); ++i) {
      safetensors_file own;
      m_optimisers[i].save(*m_trained[i].store, own);
      for (auto& [name, array] : own.arrays) file.arrays[m_trained[i].name + "/" + name] = std::move(array);
    }
  }
  /// @throws io_error if the checkpoint is another optimiser's or another network's
  void load(const safetensors_file& file) {
    for (std::size_t i = 0; i < m_trained.size(); ++i) {
      const std::string root = m_trained[i].name + "/";
      safetensors_file own;
      for (auto at = file.arrays.lower_bound(root + "optimiser."); at != file.arrays.end(); ++at) {
        if (!at->first.starts_with(root + "optimiser.")) break;
        own.arrays.emplace(at->first.substr(root.size()), at->second);
      }
      m_optimisers[i].load(*m_trained[i].store, own);
    }
  }

 private:
  std::vector<named_store<Backend>> m_trained;
  std::vector<any_optimiser<Backend>> m_optimisers;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
