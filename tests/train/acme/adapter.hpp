// SPDX-License-Identifier: Apache-2.0
/// @file
/// The first file of a vendor engine: owners of what acme's library hands out, and the check of its status codes.
#ifndef COMODAL_TESTS_TRAIN_ACME_ADAPTER_HPP
#define COMODAL_TESTS_TRAIN_ACME_ADAPTER_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/error.hpp>

#include <train/acme/acme_norm.h>

#include <memory>
#include <type_traits>

/// Calls a function of acme's library. @throws device_error with the call and what the library says
#define COMODAL_TESTS_ACME(call) ::comodal::tests::acme_check(call, #call)

namespace comodal::tests {

inline void acme_check(acme_status_t status, const char* call) {
  const std::string words(call);
  if (status != ACME_SUCCESS)
    throw device_error(text("acme failed: ", words.substr(0, words.find('(')), ": ", acme_status_string(status)));
}

template <class T>
inline constexpr acme_type_t acme_type = std::is_same_v<T, float> ? ACME_F32 : ACME_BF16;

/// A handle of the library, which a context keeps.
class acme_library {
 public:
  acme_library() { COMODAL_TESTS_ACME(acme_create(&m_handle)); }
  ~acme_library() { (void)acme_destroy(m_handle); }
  acme_library(const acme_library&) = delete;
  acme_library& operator=(const acme_library&) = delete;
  [[nodiscard]] acme_handle_t handle() const { return m_handle; }

 private:
  acme_handle_t m_handle = nullptr;
};

/// A plan of the library. Empty where the library does not support what is described; `status` says why.
class acme_norm {
 public:
  acme_norm(acme_handle_t handle, const acme_norm_descriptor_t& of) : m_handle(handle) {
    acme_norm_plan_t made = nullptr;
    m_status = acme_norm_plan_create(handle, &of, &made);
    m_plan.reset(made);
  }
  [[nodiscard]] acme_status_t status() const { return m_status; }
  [[nodiscard]] acme_handle_t handle() const { return m_handle; }
  [[nodiscard]] acme_norm_plan_t get() const { return m_plan.get(); }
  [[nodiscard]] std::size_t workspace() const {
    std::size_t bytes = 0;
    COMODAL_TESTS_ACME(acme_norm_plan_workspace(get(), &bytes));
    return bytes;
  }
  [[nodiscard]] std::string implementation() const {
    const char* name = nullptr;
    COMODAL_TESTS_ACME(acme_norm_plan_implementation(get(), &name));
    return name;
  }

 private:
  struct destroy {
    void operator()(acme_norm_plan_t plan) const { (void)acme_norm_plan_destroy(plan); }
  };
  acme_handle_t m_handle;  // the context drops plans before it
  std::unique_ptr<acme_norm_plan_s, destroy> m_plan;
  acme_status_t m_status = ACME_SUCCESS;
};

}  // namespace comodal::tests

#endif
