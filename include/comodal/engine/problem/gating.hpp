// SPDX-License-Identifier: Apache-2.0
/// @file
/// The problems of maps that are weighted by voxel, and added through a learned gate.
#ifndef COMODAL_ENGINE_PROBLEM_GATING_HPP
#define COMODAL_ENGINE_PROBLEM_GATING_HPP

#include <comodal/core/shape.hpp>
#include <comodal/engine/problem/problem.hpp>

namespace comodal::inline COMODAL_CONFIG {

/// y = w x: x, y (groups, voxels, channels); w is column `modality` of weights (groups, modalities), or (groups,
/// voxels, modalities) where `per_voxel`. Backward: dx = w d, and column `modality` of dweights = <x, d> over channels.
struct weigh_problem {
  using family = weigh_problem;
  index groups = 1, voxels = 1, channels = 1, modalities = 1, modality = 0;
  bool per_voxel = false;

  void check() const {
    if (groups < 0 || voxels < 0 || channels < 1 || modality < 0 || modality >= modalities)
      throw shape_error(text("weigh: ", to_string(), ", expected a modality below ", modalities));
  }
  [[nodiscard]] std::string to_string() const {
    return text(groups, " x ", voxels, " x ", channels, ", modality ", modality, " of ", modalities,
                per_voxel ? ", per voxel" : "");
  }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "weigh.forward" : "weigh.backward";
  }
  friend auto operator<=>(const weigh_problem&, const weigh_problem&) = default;

  template <class T>
  struct arguments {
    const T *x = nullptr, *weights = nullptr;
    T* y = nullptr;
    const T* dy = nullptr;
    T *dx = nullptr, *dweights = nullptr;  // dweights: may be null
  };
};

/// y = x + sigmoid(gate) r gamma: x, gate, r, y (rows, channels), gamma (channels). Backward writes the gradients of
/// gate, r and gamma; that of x is dy itself.
struct gated_add_problem {
  using family = gated_add_problem;
  index rows = 1, channels = 1;

  void check() const {
    if (rows < 0 || channels < 1) throw shape_error(text("gated_add: ", to_string(), ", expected a channel or more"));
  }
  [[nodiscard]] std::string to_string() const { return text(rows, " x ", channels); }
  [[nodiscard]] static constexpr const char* name(direction d) {
    return d == direction::forward ? "gated_add.forward" : "gated_add.backward";
  }
  friend auto operator<=>(const gated_add_problem&, const gated_add_problem&) = default;

  template <class T>
  struct arguments {
    const T *x = nullptr, *gate = nullptr, *r = nullptr, *gamma = nullptr;
    T* y = nullptr;
    const T* dy = nullptr;
    T *dgate = nullptr, *dr = nullptr, *dgamma = nullptr;
  };
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
