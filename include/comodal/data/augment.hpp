// SPDX-License-Identifier: Apache-2.0
/// @file
/// Random changes of the intensities of one modality's crop (models of `volume_transform`), the weak and the strong
/// view made from them, and modality dropout.
#ifndef COMODAL_DATA_AUGMENT_HPP
#define COMODAL_DATA_AUGMENT_HPP

#include <comodal/data/batch.hpp>
#include <comodal/data/intensities.hpp>
#include <comodal/data/volume_transform.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// x -> gain x + shift, each drawn uniformly from its range.
struct random_gain_shift {
  batch_options::range gain{1, 1}, shift{0, 0};

  void operator()(std::span<float> crop, const extent3&, random_stream& random) const {
    const auto a = static_cast<float>(random.uniform(gain[0], gain[1])),
               b = static_cast<float>(random.uniform(shift[0], shift[1]));
#pragma omp simd
    for (std::size_t i = 0; i < crop.size(); ++i) crop[i] = a * crop[i] + b;
  }
};

/// With which chance a change is made. The chance is drawn per modality, or once per crop for all its modalities
/// (`joint`); then `share` of the modalities of a chosen crop are changed.
struct change_chance {
  double chance = 1, share = 1;
  bool joint = false;

  change_chance() = default;
  change_chance(double how_often, double of_modalities = 1, bool once_per_crop = false)
      : chance(how_often), share(of_modalities), joint(once_per_crop) {}

  /// @param random the stream of the modality @param crop that of the crop, which every modality reads from its start;
  /// one number of each is drawn
  [[nodiscard]] bool drawn(random_stream& random, random_stream& crop) const {
    const bool own = random.chance(joint ? share : chance * share);
    return joint ? crop.chance(chance) && own : own;
  }
};

namespace detail {

/// A number that lies below 1 as often as above it, if the range has both; uniform on either side.
[[nodiscard]] inline double uniform_around_one(const batch_options::range& range, random_stream& random) {
  const bool drawn = random.chance(0.5), below = range[1] <= 1 || (drawn && range[0] < 1);
  return below ? random.uniform(range[0], std::min(range[1], 1.)) : random.uniform(std::max(range[0], 1.), range[1]);
}

/// What the random changes share. `Change` has `chance` and `change(crop, size, random, applies)`.
template <class Change>
struct random_change {
  void operator()(std::span<float> crop, const extent3& size, random_stream& random) const {
    (*this)(crop, size, random, random);
  }
  void operator()(std::span<float> crop, const extent3& size, random_stream& random, random_stream& crop_random) const {
    const auto& self = static_cast<const Change&>(*this);
    const bool applies = self.chance.drawn(random, crop_random);
    self.change(crop, size, random, applies);
  }
};

}  // namespace detail

/// `apply_gamma` with the exponential of a uniform number, with some chance.
struct random_gamma {
  batch_options::range log_gamma{0, 0};
  double chance = 1;

  void operator()(std::span<float> crop, const extent3&, random_stream& random) const {
    const bool applies = random.chance(chance);
    const double gamma = std::exp(random.uniform(log_gamma[0], log_gamma[1]));
    if (applies) apply_gamma(crop, static_cast<float>(gamma));
  }
};

/// `add_noise` with a uniform standard deviation, with some chance.
struct random_noise : detail::random_change<random_noise> {
  batch_options::range deviation{0, 0};
  change_chance chance;

  random_noise(const batch_options::range& deviations, const change_chance& often)
      : deviation(deviations), chance(often) {}
  void change(std::span<float> crop, const extent3&, random_stream& random, bool applies) const {
    const double sigma = random.uniform(deviation[0], deviation[1]);
    if (applies) add_noise(crop, static_cast<float>(sigma), random);
  }
};

/// `blur` with a uniform standard deviation (voxels), with some chance.
struct random_blur : detail::random_change<random_blur> {
  batch_options::range sigma{0.5, 1};
  change_chance chance;

  random_blur(const batch_options::range& sigmas, const change_chance& often) : sigma(sigmas), chance(often) {}
  void change(std::span<float> crop, const extent3& size, random_stream& random, bool applies) const {
    const double s = random.uniform(sigma[0], sigma[1]);
    if (applies) blur(crop, size, s);
  }
};

/// x -> factor x, the factor as often below 1 as above, with some chance.
struct random_brightness : detail::random_change<random_brightness> {
  batch_options::range factor{1, 1};
  change_chance chance;

  random_brightness(const batch_options::range& factors, const change_chance& often) : factor(factors), chance(often) {}
  void change(std::span<float> crop, const extent3&, random_stream& random, bool applies) const {
    const auto f = static_cast<float>(detail::uniform_around_one(factor, random));
    if (!applies) return;
#pragma omp simd
    for (std::size_t i = 0; i < crop.size(); ++i) crop[i] *= f;
  }
};

/// `change_contrast` with a factor as often below 1 as above, with some chance.
struct random_contrast : detail::random_change<random_contrast> {
  batch_options::range factor{1, 1};
  change_chance chance;

  random_contrast(const batch_options::range& factors, const change_chance& often) : factor(factors), chance(often) {}
  void change(std::span<float> crop, const extent3&, random_stream& random, bool applies) const {
    const double f = detail::uniform_around_one(factor, random);
    if (applies) change_contrast(crop, static_cast<float>(f));
  }
};

/// `lower_resolution` to a uniform part of the voxels along the chosen axes (D, H, W), with some chance.
struct random_low_resolution : detail::random_change<random_low_resolution> {
  batch_options::range zoom{1, 1};
  std::array<bool, 3> axes{true, true, true};
  change_chance chance;

  random_low_resolution(const batch_options::range& zooms, const std::array<bool, 3>& along, const change_chance& often)
      : zoom(zooms), axes(along), chance(often) {}
  void change(std::span<float> crop, const extent3& size, random_stream& random, bool applies) const {
    const double z = random.uniform(zoom[0], zoom[1]);
    if (!applies) return;
    extent3 coarse = size;
    for (std::size_t a = 0; a < 3; ++a)
      if (axes[a])
        coarse[a] = std::clamp<index>(static_cast<index>(std::nearbyint(static_cast<double>(size[a]) * z)), 1, size[a]);
    lower_resolution(crop, size, coarse);
  }
};

/// `apply_retained_gamma` with an exponent as often below 1 as above, with some chance.
struct random_retained_gamma : detail::random_change<random_retained_gamma> {
  batch_options::range exponent{1, 1};
  gamma_of side = gamma_of::values;
  change_chance chance;

  random_retained_gamma(const batch_options::range& exponents, gamma_of which, const change_chance& often)
      : exponent(exponents), side(which), chance(often) {}
  void change(std::span<float> crop, const extent3&, random_stream& random, bool applies) const {
    const double g = detail::uniform_around_one(exponent, random);
    if (applies) apply_retained_gamma(crop, static_cast<float>(g), side);
  }
};

/// `apply_bias_field` with uniform coefficients up to a uniform largest one, with some chance.
struct random_bias_field : detail::random_change<random_bias_field> {
  batch_options::range largest{0, 0};
  change_chance chance;

  random_bias_field(const batch_options::range& coefficients, const change_chance& often)
      : largest(coefficients), chance(often) {}
  void change(std::span<float> crop, const extent3& size, random_stream& random, bool applies) const {
    const double most = random.uniform(largest[0], largest[1]);
    if (!applies) return;
    std::array<double, bias_coefficients> coefficients{};  // the constant would be a brightness
    for (std::size_t i = 1; i < coefficients.size(); ++i) coefficients[i] = random.uniform(-most, most);
    apply_bias_field(crop, size, coefficients);
  }
};

/// `add_rician_noise` with a uniform standard deviation, with some chance.
struct random_rician_noise : detail::random_change<random_rician_noise> {
  batch_options::range deviation{0, 0};
  change_chance chance;

  random_rician_noise(const batch_options::range& deviations, const change_chance& often)
      : deviation(deviations), chance(often) {}
  void change(std::span<float> crop, const extent3&, random_stream& random, bool applies) const {
    const double sigma = random.uniform(deviation[0], deviation[1]);
    if (applies) add_rician_noise(crop, static_cast<float>(sigma), random);
  }
};

/// The intensities of the weak view, which the teacher sees.
using weak_intensities = transform_chain<random_gain_shift>;
/// The intensities of the strong view and of labelled crops. From the noise to the gammas in the order of nnU-Net.
using strong_intensities =
    transform_chain<random_gain_shift, random_gamma, random_noise, random_blur, random_brightness, random_contrast,
                    random_low_resolution, random_retained_gamma, random_retained_gamma, random_bias_field,
                    random_rician_noise>;

[[nodiscard]] inline weak_intensities make_weak_intensities(const batch_options& o) {
  return weak_intensities(random_gain_shift{o.weak_gain, o.weak_shift});
}
[[nodiscard]] inline strong_intensities make_strong_intensities(const batch_options& o) {
  const auto often = [&](double chance, double share = 1) { return change_chance{chance, share, o.joint}; };
  return strong_intensities(
      random_gain_shift{o.strong_gain, o.strong_shift}, random_gamma{o.log_gamma, o.gamma_chance},
      random_noise{o.noise, often(o.noise_chance)}, random_blur{o.blur, often(o.blur_chance, o.blur_share)},
      random_brightness{o.brightness, often(o.brightness_chance)},
      random_contrast{o.contrast, often(o.contrast_chance)},
      random_low_resolution{o.low_resolution, o.resampled_axes, often(o.low_resolution_chance, o.low_resolution_share)},
      random_retained_gamma{o.retained_gamma, gamma_of::negative, often(o.inverted_gamma_chance)},
      random_retained_gamma{o.retained_gamma, gamma_of::values, often(o.retained_gamma_chance)},
      random_bias_field{o.bias, often(o.bias_chance)}, random_rician_noise{o.rician, often(o.rician_chance)});
}

/// Modality dropout: with the given chance, a sample that has P > 1 modalities keeps a uniformly drawn number 1..P-1 of
/// them, a uniform subset of that size.
/// @param present (M), 0 or 1; changed in place, never to all zeros
inline void drop_modalities(std::span<float> present, double chance, random_stream& random) {
  std::vector<std::size_t> has;
  for (std::size_t m = 0; m < present.size(); ++m)
    if (present[m] != 0) has.push_back(m);
  if (!random.chance(chance) || has.size() < 2) return;
  const std::size_t keep = 1 + random.below(static_cast<std::uint32_t>(has.size() - 1));
  for (std::size_t left = has.size(); left > keep; --left) {
    std::swap(has[left - 1], has[random.below(static_cast<std::uint32_t>(left))]);
    present[has[left - 1]] = 0;
  }
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
