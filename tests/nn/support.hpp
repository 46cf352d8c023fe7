// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the tests from `nn` on share: a context with its tape in double, values of variables, changes of parameters.
#ifndef COMODAL_TESTS_NN_SUPPORT_HPP
#define COMODAL_TESTS_NN_SUPPORT_HPP

#include <comodal/nn/state.hpp>

#include <core/support.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <unistd.h>

namespace comodal::tests {

/// A context and a tape; the base of test fixtures.
template <tensor_backend Backend = kokkos_backend<default_space, double>>
struct bench_of {
  using backend = Backend;
  using scalar = typename Backend::scalar_type;
  context<Backend> ctx;
  tape<Backend> home{ctx};

  [[nodiscard]] std::vector<scalar> host(const variable<Backend>& v) const { return to_host(ctx.space(), v.value()); }
  /// The gradient of a variable; empty where none arrived.
  [[nodiscard]] std::vector<scalar> gradient(const variable<Backend>& v) const {
    return v.grad() ? to_host(ctx.space(), v.grad()) : std::vector<scalar>{};
  }
  [[nodiscard]] variable<Backend> leaf(const shape& extents, std::uint32_t key, double low = -1, double high = 1) {
    return home.leaf(ctx.make(extents, converted<scalar>(values(extents.size(), key, low, high))));
  }
  [[nodiscard]] variable<Backend> constant(const shape& extents, std::uint32_t key, double low = -1, double high = 1) {
    return detach(leaf(extents, key, low, high));
  }
  [[nodiscard]] variable<Backend> constant(const shape& extents, const std::vector<scalar>& numbers) {
    return home.constant(extents, numbers);
  }
};
using bench = bench_of<>;

/// How many operations a context has run, each of them one or two kernels.
template <tensor_backend Backend>
index runs(const context<Backend>& ctx) {
  index all = 0;
  for (const auto& [operation, count] : ctx.runs()) all += count;
  return all;
}

/// Replaces the values of all parameters whose name contains `part`: `f(name, values)` changes them in place. Returns
/// how many there were.
template <tensor_backend Backend>
int change(const parameter_store<Backend>& store, const std::string& part,
           const std::function<void(const std::string&, std::vector<typename Backend::scalar_type>&)>& f) {
  int count = 0;
  for (const auto& p : store.all()) {
    if (p.name.find(part) == std::string::npos) continue;
    auto numbers = to_host(p.value.ctx().space(), p.value.value());
    f(p.name, numbers);
    p.value.assign(p.value.ctx().make(p.value.shape(), numbers));
    ++count;
  }
  return count;
}

/// The parameter of a name. @throws std::runtime_error if there is none
template <tensor_backend Backend>
variable<Backend> find(const parameter_store<Backend>& store, const std::string& name) {
  for (const auto& p : store.all())
    if (p.name == name) return p.value;
  throw std::runtime_error("no parameter " + name);
}

/// All values of a store, one after the other.
template <tensor_backend Backend>
std::vector<typename Backend::scalar_type> all_values(const parameter_store<Backend>& store) {
  std::vector<typename Backend::scalar_type> out;
  for (const auto& p : store.all()) {
    const auto part = to_host(p.value.ctx().space(), p.value.value());
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

/// All gradients of a store, zeros where none arrived.
template <tensor_backend Backend>
std::vector<typename Backend::scalar_type> all_gradients(const parameter_store<Backend>& store) {
  std::vector<typename Backend::scalar_type> out;
  for (const auto& p : store.all()) {
    if (p.value.grad()) {
      const auto part = to_host(p.value.ctx().space(), p.value.grad());
      out.insert(out.end(), part.begin(), part.end());
    } else {
      out.insert(out.end(), static_cast<std::size_t>(p.value.shape().size()), 0);
    }
  }
  return out;
}

/// The largest magnitude; 0 for an empty list.
template <class T>
double largest(const std::vector<T>& numbers) {
  double most = 0;
  for (const T v : numbers)
    most = std::isnan(v) ? std::numeric_limits<double>::infinity() : std::max(most, std::fabs(static_cast<double>(v)));
  return most;
}

/// A folder that is there as long as the object.
class temporary_folder {
 public:
  temporary_folder() {
    static int number = 0;
    m_path = std::filesystem::temp_directory_path() /
             ("comodal-test-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directories(m_path);
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return m_path / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

 private:
  std::filesystem::path m_path;
};

}  // namespace comodal::tests

#endif
