// SPDX-License-Identifier: Apache-2.0
/// @file
/// Steps whose gradient is not finite: they are skipped, counted on the device, and said.
#ifndef COMODAL_TRAIN_SKIPPED_STEPS_HPP
#define COMODAL_TRAIN_SKIPPED_STEPS_HPP

#include <comodal/autograd/structure.hpp>
#include <comodal/nn/state.hpp>
#include <comodal/ops/elementwise.hpp>
#include <comodal/ssl/method.hpp>
#include <comodal/train/metadata.hpp>
#include <comodal/train/optimiser.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace train_detail {

// One store's share of a step: numbers (all, in a row, this step). A factor of 0 says that its update was skipped.
template <class T>
struct count_skipped_body {
  const T* norm_and_factor;
  T* numbers;
  bool first, last;  // store of the step
  KOKKOS_INLINE_FUNCTION void operator()(index) const {
    if (first) numbers[2] = T(0);
    if (norm_and_factor[1] == T(0)) numbers[2] = T(1);
    if (!last) return;
    numbers[0] += numbers[2];
    numbers[1] = numbers[2] == T(0) ? T(0) : numbers[1] + T(1);
  }
};

// Where a loss, or the gradient of another store, is not finite, this gradient is made so.
template <class T>
struct break_gradient_body {
  const T* loss;   // or null
  const T* other;  // (norm, factor) of another store, or null
  T* gradients;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const {
    const T nothing = loss ? *loss - *loss : T(0);
    if (nothing != T(0)) gradients[i] = nothing;
    if (other && other[1] == T(0)) gradients[i] = other[0] - other[0];
  }
};

}  // namespace train_detail

/// How many steps were skipped. The numbers stay on the device until somebody reads them.
template <tensor_backend Backend>
class skipped_steps {
 public:
  /// So many in a row end a run.
  static constexpr std::uint32_t most_in_a_row = 10;

  explicit skipped_steps(tape<Backend>& home) : m_numbers(home.constant(ops::full(home.ctx(), shape{3}, T(0)))) {}

  /// Before processes share gradients: those of a loss that is not finite become so.
  void judge(const variable<Backend>& loss, const parameter_store<Backend>& store) const {
    if (store.any_gradient()) break_gradient(store, loss.value().data(), nullptr);
  }
  /// Before an update of several stores: where one's gradient is not finite, that of each becomes so.
  void agree(const std::vector<named_store<Backend>>& stores) const {
    for (const auto& one : stores) {
      if (stores.size() == 1 || !one.store->any_gradient()) continue;
      const auto norm = clip_gradients(*one.store, 0);
      for (const auto& other : stores)
        if (other.store != one.store && other.store->any_gradient())
          break_gradient(*other.store, nullptr, norm.value().data());
    }
  }
  /// Counts a step. @param norms per trained store (norm, factor that clipped it; 0: its update was skipped), one at
  /// least
  /// @throws config_error for an optimiser that gives something else
  void count(const std::vector<variable<Backend>>& norms) {
    for (const auto& norm : norms)
      if (norm.shape().size() != 2)
        throw config_error(text("an optimiser's update() returned ", norm.shape().to_string(),
                                ", expected two numbers: the gradient's norm, and the factor that clipped it"));
    for (std::size_t i = 0; i < norms.size(); ++i)
      ops::each(m_numbers.ctx(), 1,
                train_detail::count_skipped_body<T>{norms[i].value().data(), m_numbers.value().data(), i == 0,
                                                    i + 1 == norms.size()});
  }
  /// Skipped in all, and in a row up to now: two scalars.
  [[nodiscard]] std::vector<variable<Backend>> numbers() const {
    return {slice(m_numbers, 0, 0, 1), slice(m_numbers, 0, 1, 2)};
  }

  void save(safetensors_file& file) const {
    const auto numbers = to_host(m_numbers.ctx().space(), m_numbers.value());
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (numbers[0] > 0) file.metadata[keys[i]] = std::to_string(static_cast<std::uint32_t>(numbers[i]));
  }
  /// @return how many in all @throws io_error for a checkpoint whose numbers cannot be read
  std::uint32_t load(const std::filesystem::path& file, const safetensors_file& content) {
    std::vector<T> numbers(3, T(0));
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (const auto found = content.metadata.find(keys[i]); found != content.metadata.end())
        numbers[i] = static_cast<T>(train_detail::whole_number(file, *found));
    copy_from_host(m_numbers.ctx().space(), numbers, m_numbers.value());
    return static_cast<std::uint32_t>(numbers[0]);
  }

 private:
  using T = typename Backend::scalar_type;

  void break_gradient(const parameter_store<Backend>& store, const T* loss, const T* other) const {
    ops::each(m_numbers.ctx(), 1, train_detail::break_gradient_body<T>{loss, other, store.gradients().data()});
  }

  static constexpr std::array<const char*, 2> keys{"comodal.skipped", "comodal.skipped_in_a_row"};

  variable<Backend> m_numbers;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
