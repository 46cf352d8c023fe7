// SPDX-License-Identifier: Apache-2.0
/// @file
/// cuDNN's back-end descriptors as values that own them, the check of its status codes, and which of its versions are
/// known to compute wrong numbers.
#ifndef COMODAL_ENGINE_CUDNN_ADAPTER_HPP
#define COMODAL_ENGINE_CUDNN_ADAPTER_HPP

#include <comodal/core/bfloat16.hpp>
#include <comodal/core/error.hpp>

#include <cudnn.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#if CUDNN_VERSION < 91100
#error "comodal: the cudnn engine needs cuDNN 9.11 or newer; set COMODAL_CUDNN=OFF, or CUDNN_ROOT to a newer one"
#endif

namespace comodal::inline COMODAL_CONFIG::engine_detail {

/// What cuDNN says of a status.
[[nodiscard]] inline std::string cudnn_words(cudnnStatus_t status) {
  std::array<char, 256> more{};
  cudnnGetLastErrorString(more.data(), more.size());
  std::string words = cudnnGetErrorString(status);
  const std::string_view said(more.data());
  if (!said.empty()) words += text(": ", said.substr(0, said.find('\n')));
  return words;
}
inline void cudnn_check(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  const std::string words(call);
  throw device_error(text("cuDNN failed: ", words.substr(0, words.find('(')), ": ", cudnn_words(status)));
}
/// Calls a function of cuDNN. @throws device_error with its name and what cuDNN says
#define COMODAL_IMPL_CUDNN(call) ::comodal::engine_detail::cudnn_check(call, #call)

template <class T>
inline constexpr cudnnDataType_t cudnn_type = std::is_same_v<T, bfloat16> ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;

/// "9.19.0" of what `cudnnGetVersion` returns.
[[nodiscard]] inline std::string cudnn_version_words(std::size_t version) {
  return text(version / 10000, '.', version / 100 % 100, '.', version % 100);
}

/// Why 3-D convolutions of a version are refused; empty: they are not. PyTorch keeps the same lists (its issues 163539
/// and 166480, its pull request 167024).
/// @param tf32 whether fp32 numbers may be multiplied as TF32
[[nodiscard]] inline std::string cudnn_refusal(std::size_t version, cudnnDataType_t type, bool tf32) {
  const auto wrong = [&](const char* what, const char* versions, const char* remedy) {
    return text("cuDNN ", cudnn_version_words(version), " is known for wrong 3-D convolutions in ", what, " (",
                versions, "): install ", remedy, " or newer");
  };
  if (type == CUDNN_DATA_BFLOAT16 && version >= 90800 && version < 91500) return wrong("bf16", "9.8 to 9.14", "9.15");
  if (type == CUDNN_DATA_FLOAT && tf32 && version >= 91002 && version < 91600)
    return wrong("TF32", "9.10.2 to 9.15", "9.16");
  return {};
}

/// A back-end descriptor: attributes are set, then it is finalised.
class cudnn_descriptor {
 public:
  explicit cudnn_descriptor(cudnnBackendDescriptorType_t type) {
    COMODAL_IMPL_CUDNN(cudnnBackendCreateDescriptor(type, &m_descriptor));
  }
  cudnn_descriptor(cudnn_descriptor&& other) noexcept : m_descriptor(std::exchange(other.m_descriptor, nullptr)) {}
  cudnn_descriptor& operator=(cudnn_descriptor&& other) noexcept {
    std::swap(m_descriptor, other.m_descriptor);
    return *this;
  }
  ~cudnn_descriptor() {
    if (m_descriptor) cudnnBackendDestroyDescriptor(m_descriptor);
  }
  [[nodiscard]] cudnnBackendDescriptor_t get() const { return m_descriptor; }

  cudnn_descriptor& set(cudnnBackendAttributeName_t name, std::span<const std::int64_t> values) {
    return set(name, CUDNN_TYPE_INT64, values.data(), values.size());
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, std::span<void* const> values) {
    return set(name, CUDNN_TYPE_VOID_PTR, values.data(), values.size());
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, std::string_view characters) {
    return set(name, CUDNN_TYPE_CHAR, characters.data(), characters.size());
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, std::int64_t value) {
    return set(name, CUDNN_TYPE_INT64, &value, 1);
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, float value) {
    return set(name, CUDNN_TYPE_FLOAT, &value, 1);
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, cudnnDataType_t value) {
    return set(name, CUDNN_TYPE_DATA_TYPE, &value, 1);
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, cudnnConvolutionMode_t value) {
    return set(name, CUDNN_TYPE_CONVOLUTION_MODE, &value, 1);
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendHeurMode_t value) {
    return set(name, CUDNN_TYPE_HEUR_MODE, &value, 1);
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, cudnnHandle_t value) {
    return set(name, CUDNN_TYPE_HANDLE, &value, 1);
  }
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, const cudnn_descriptor& other) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &other.m_descriptor, 1);
  }

  cudnn_descriptor& finalise() {
    COMODAL_IMPL_CUDNN(cudnnBackendFinalize(m_descriptor));
    return *this;
  }
  /// The same for what cuDNN may refuse: false, with its words.
  [[nodiscard]] bool accepted(std::string& why) const {
    const cudnnStatus_t status = cudnnBackendFinalize(m_descriptor);
    if (status != CUDNN_STATUS_SUCCESS) why = cudnn_words(status);
    return status == CUDNN_STATUS_SUCCESS;
  }

  [[nodiscard]] std::int64_t integer(cudnnBackendAttributeName_t name) const {
    std::int64_t value = 0, count = 0;
    COMODAL_IMPL_CUDNN(cudnnBackendGetAttribute(m_descriptor, name, CUDNN_TYPE_INT64, 1, &count, &value));
    return value;
  }
  /// A descriptor that this one holds, copied into `into`, which was made for it.
  void descriptor(cudnnBackendAttributeName_t name, cudnn_descriptor& into) const {
    std::int64_t count = 0;
    COMODAL_IMPL_CUDNN(
        cudnnBackendGetAttribute(m_descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &into.m_descriptor));
  }
  /// Fills up to `values.size()` values. @returns how many there are
  template <class T>
  [[nodiscard]] std::size_t values(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                   std::span<T> values) const {
    std::int64_t count = 0;
    COMODAL_IMPL_CUDNN(cudnnBackendGetAttribute(m_descriptor, name, type, static_cast<std::int64_t>(values.size()),
                                                &count, values.data()));
    return static_cast<std::size_t>(count);
  }

 private:
  cudnn_descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const void* values,
                        std::size_t count) {
    COMODAL_IMPL_CUDNN(cudnnBackendSetAttribute(m_descriptor, name, type, static_cast<std::int64_t>(count), values));
    return *this;
  }

  cudnnBackendDescriptor_t m_descriptor = nullptr;
};

/// What plans are made for: the device of a handle, or a device that is described and need not be there.
class cudnn_target {
 public:
  explicit cudnn_target(cudnnHandle_t handle) : m_handle(handle) {}
  /// @param device as CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION
  explicit cudnn_target(std::string_view device) : m_device(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR) {
    m_device.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, device).finalise();
  }

  /// Says it to a descriptor, by the attribute for handles or by that for described devices.
  void name(cudnn_descriptor& of, cudnnBackendAttributeName_t handle_name) const {
    if (m_handle) of.set(handle_name, m_handle);
  }
  void describe(cudnn_descriptor& of, cudnnBackendAttributeName_t device_name) const {
    if (!m_handle) of.set(device_name, m_device);
  }
  [[nodiscard]] cudnnHandle_t handle() const { return m_handle; }

 private:
  cudnnHandle_t m_handle = nullptr;
  cudnn_descriptor m_device{CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR};
};

}  // namespace comodal::inline COMODAL_CONFIG::engine_detail

#endif
