/* SPDX-License-Identifier: Apache-2.0 */
/* A vendor that does not exist: "acme" normalises instances on a processor. Its functions are declared as in a C
   library, with handles, status codes, plans and workspace; what they do is written below, for tests alone. */
#ifndef ACME_NORM_H
#define ACME_NORM_H

#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

extern "C" {

typedef enum {
  ACME_SUCCESS = 0,
  ACME_NOT_SUPPORTED = 1,
  ACME_BAD_PARAMETER = 2,
  ACME_OUT_OF_MEMORY = 3,
  ACME_EXECUTION_FAILED = 4
} acme_status_t;
typedef enum { ACME_F32 = 0, ACME_BF16 = 1 } acme_type_t;
typedef enum { ACME_FORWARD_TRAINING = 0, ACME_BACKWARD = 1 } acme_pass_t;

typedef struct acme_handle_s* acme_handle_t;
typedef struct acme_norm_plan_s* acme_norm_plan_t;

/* Maps are (batch, spatial, channels) of `type`; scale, bias, their gradients and statistics are f32. */
typedef struct {
  acme_type_t type;
  acme_pass_t pass;
  int64_t batch, spatial, channels;
  float epsilon, negative_slope; /* 0 to 1; 1: no activation */
  int in_place;                  /* the result takes the memory of x */
} acme_norm_descriptor_t;

inline const char* acme_status_string(acme_status_t status) {
  static const char* const words[] = {"success", "not supported", "bad parameter", "out of memory", "execution failed"};
  return words[status];
}

inline acme_status_t acme_create(acme_handle_t* handle);
inline acme_status_t acme_destroy(acme_handle_t handle);
inline acme_status_t acme_norm_plan_create(acme_handle_t handle, const acme_norm_descriptor_t* descriptor,
                                           acme_norm_plan_t* plan);
inline acme_status_t acme_norm_plan_destroy(acme_norm_plan_t plan);
inline acme_status_t acme_norm_plan_workspace(acme_norm_plan_t plan, size_t* bytes);
inline acme_status_t acme_norm_plan_implementation(acme_norm_plan_t plan, const char** name);
/* `workspace`: as many bytes as the plan says, aligned to 64. */
inline acme_status_t acme_norm_forward(acme_handle_t handle, acme_norm_plan_t plan, const void* x, const float* scale,
                                       const float* bias, void* y, float* mean, float* inverse, void* workspace);
inline acme_status_t acme_norm_backward(acme_handle_t handle, acme_norm_plan_t plan, const void* x, const void* dy,
                                        const float* scale, const float* bias, const float* mean, const float* inverse,
                                        void* dx, float* dscale, float* dbias, void* workspace);
}

/* What follows no vendor would publish. */

struct acme_handle_s {
  int plans = 0; /* a handle must outlive its plans */
};
struct acme_norm_plan_s {
  acme_handle_t handle;
  acme_norm_descriptor_t of;
};

/* What tests look at and set. */
struct acme_inside {
  int handles = 0, plans = 0, misuses = 0;
  bool fails = false;
};
inline acme_inside acme_now;

inline acme_status_t acme_create(acme_handle_t* handle) {
  *handle = new (std::nothrow) acme_handle_s;
  if (!*handle) return ACME_OUT_OF_MEMORY;
  ++acme_now.handles;
  return ACME_SUCCESS;
}
inline acme_status_t acme_destroy(acme_handle_t handle) {
  acme_now.misuses += handle->plans != 0;
  --acme_now.handles;
  delete handle;
  return ACME_SUCCESS;
}
inline acme_status_t acme_norm_plan_create(acme_handle_t handle, const acme_norm_descriptor_t* d,
                                           acme_norm_plan_t* plan) {
  if (d->batch < 1 || d->spatial < 1 || d->channels < 1) return ACME_BAD_PARAMETER;
  if (d->in_place || !(d->negative_slope >= 0 && d->negative_slope <= 1)) return ACME_NOT_SUPPORTED;
  if (d->spatial > INT_MAX / d->channels) return ACME_NOT_SUPPORTED;
  *plan = new (std::nothrow) acme_norm_plan_s{handle, *d};
  if (!*plan) return ACME_OUT_OF_MEMORY;
  ++handle->plans;
  ++acme_now.plans;
  return ACME_SUCCESS;
}
inline acme_status_t acme_norm_plan_destroy(acme_norm_plan_t plan) {
  --plan->handle->plans;
  --acme_now.plans;
  delete plan;
  return ACME_SUCCESS;
}
inline acme_status_t acme_norm_plan_workspace(acme_norm_plan_t plan, size_t* bytes) {
  *bytes = 2 * sizeof(double) * static_cast<size_t>(plan->of.channels);
  return ACME_SUCCESS;
}
inline acme_status_t acme_norm_plan_implementation(acme_norm_plan_t plan, const char** name) {
  *name = plan->of.channels % 8 == 0 ? "acme_norm_x8" : plan->of.channels % 4 == 0 ? "acme_norm_x4" : "acme_norm_ref";
  return ACME_SUCCESS;
}

namespace acme_inner {

inline double load(const acme_norm_descriptor_t& d, const void* data, int64_t i) {
  float value = 0;
  if (d.type == ACME_F32) return static_cast<const float*>(data)[i];
  const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(data)[i]) << 16;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline void store(const acme_norm_descriptor_t& d, void* data, int64_t i, double number) {
  const auto value = static_cast<float>(number);
  if (d.type == ACME_F32) {
    static_cast<float*>(data)[i] = value;
    return;
  }
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  static_cast<uint16_t*>(data)[i] = static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
inline acme_status_t check(acme_handle_t handle, acme_norm_plan_t plan, acme_pass_t pass, const void* workspace) {
  const bool aligned = workspace && reinterpret_cast<uintptr_t>(workspace) % 64 == 0;
  if (!aligned || plan->handle != handle || plan->of.pass != pass) return ACME_BAD_PARAMETER;
  return acme_now.fails ? ACME_EXECUTION_FAILED : ACME_SUCCESS;
}
/* The indices of one sample's rows and channels. */
template <class F>
void each(const acme_norm_descriptor_t& d, int64_t n, const F& f) {
  for (int64_t r = 0; r < d.spatial; ++r)
    for (int64_t c = 0; c < d.channels; ++c) f((n * d.spatial + r) * d.channels + c, n * d.channels + c, c);
}

}  // namespace acme_inner

inline acme_status_t acme_norm_forward(acme_handle_t handle, acme_norm_plan_t plan, const void* x, const float* scale,
                                       const float* bias, void* y, float* mean, float* inverse, void* workspace) {
  using namespace acme_inner;
  const acme_status_t status = check(handle, plan, ACME_FORWARD_TRAINING, workspace);
  if (status != ACME_SUCCESS) return status;
  const acme_norm_descriptor_t& d = plan->of;
  const auto rows = static_cast<double>(d.spatial);
  double* const sum = static_cast<double*>(workspace);
  double* const square = sum + d.channels;
  for (int64_t n = 0; n < d.batch; ++n) {
    for (int64_t c = 0; c < 2 * d.channels; ++c) sum[c] = 0;
    each(d, n, [&](int64_t i, int64_t, int64_t c) { sum[c] += load(d, x, i) / rows; });
    each(d, n, [&](int64_t i, int64_t, int64_t c) { square[c] += std::pow(load(d, x, i) - sum[c], 2) / rows; });
    for (int64_t c = 0; c < d.channels; ++c) {
      mean[n * d.channels + c] = static_cast<float>(sum[c]);
      inverse[n * d.channels + c] = static_cast<float>(1 / std::sqrt(square[c] + static_cast<double>(d.epsilon)));
    }
    each(d, n, [&](int64_t i, int64_t s, int64_t c) {
      const double v = (load(d, x, i) - static_cast<double>(mean[s])) * static_cast<double>(inverse[s] * scale[c]) +
                       static_cast<double>(bias[c]);
      store(d, y, i, v > 0 ? v : static_cast<double>(d.negative_slope) * v);
    });
  }
  return ACME_SUCCESS;
}

inline acme_status_t acme_norm_backward(acme_handle_t handle, acme_norm_plan_t plan, const void* x, const void* dy,
                                        const float* scale, const float* bias, const float* mean, const float* inverse,
                                        void* dx, float* dscale, float* dbias, void* workspace) {
  using namespace acme_inner;
  const acme_status_t status = check(handle, plan, ACME_BACKWARD, workspace);
  if (status != ACME_SUCCESS) return status;
  const acme_norm_descriptor_t& d = plan->of;
  const auto rows = static_cast<double>(d.spatial);
  double* const sum = static_cast<double*>(workspace);
  double* const dot = sum + d.channels;
  const auto normal = [&](int64_t i, int64_t s) {
    return (load(d, x, i) - static_cast<double>(mean[s])) * static_cast<double>(inverse[s]);
  };
  const auto before = [&](int64_t i, int64_t s, int64_t c) {
    const bool positive = normal(i, s) * static_cast<double>(scale[c]) + static_cast<double>(bias[c]) > 0;
    return load(d, dy, i) * (positive ? 1 : static_cast<double>(d.negative_slope));
  };
  for (int64_t c = 0; c < d.channels; ++c) dscale[c] = dbias[c] = 0;
  for (int64_t n = 0; n < d.batch; ++n) {
    for (int64_t c = 0; c < 2 * d.channels; ++c) sum[c] = 0;
    each(d, n, [&](int64_t i, int64_t s, int64_t c) {
      sum[c] += before(i, s, c);
      dot[c] += before(i, s, c) * normal(i, s);
    });
    each(d, n, [&](int64_t i, int64_t s, int64_t c) {
      const double by = static_cast<double>(scale[c]) * static_cast<double>(inverse[s]);
      store(d, dx, i, by * (before(i, s, c) - sum[c] / rows - normal(i, s) * dot[c] / rows));
    });
    for (int64_t c = 0; c < d.channels; ++c) {
      dscale[c] += static_cast<float>(dot[c]);
      dbias[c] += static_cast<float>(sum[c]);
    }
  }
  return ACME_SUCCESS;
}

#endif
