// SPDX-License-Identifier: Apache-2.0
/// @file
/// The concept of a random change of one modality's crop, in place, and chains of such changes.
#ifndef COMODAL_DATA_VOLUME_TRANSFORM_HPP
#define COMODAL_DATA_VOLUME_TRANSFORM_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/core/random.hpp>
#include <comodal/core/shape.hpp>

#include <concepts>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

namespace comodal::inline COMODAL_CONFIG {

/// A change of intensities: `transform(crop, size, random)` with `std::span<float> crop` of shape (D, H, W) = `size`,
/// changed in place. All its randomness comes from `random`; it is called by several threads at once, so it is callable
/// when const.
template <class T>
concept volume_transform = std::copy_constructible<T> && requires(const T& transform, std::span<float> crop,
                                                                  const extent3& size, random_stream& random) {
  { transform(crop, size, random) } -> std::same_as<void>;
};

/// A transform that also takes what all modalities of a crop draw alike: `transform(crop, size, random, crop_random)`.
/// Every modality gets `crop_random` from its start, so the transform takes as many numbers of it whatever it does.
template <class T>
concept joint_volume_transform =
    volume_transform<T> && requires(const T& transform, std::span<float> crop, const extent3& size,
                                    random_stream& random, random_stream& crop_random) {
      { transform(crop, size, random, crop_random) } -> std::same_as<void>;
    };

/// Says in plain words what a transform lacks.
template <class T>
constexpr void check_volume_transform() {
  if constexpr (!std::copy_constructible<T>)
    static_assert(detail::never<T>, "comodal: a volume_transform must be copyable");
  else if constexpr (!std::is_invocable_v<T&, std::span<float>, const extent3&, random_stream&>)
    static_assert(detail::never<T>,
                  "comodal: a volume_transform needs operator()(std::span<float> crop, const extent3& size, "
                  "random_stream& random)");
  else if constexpr (!std::is_invocable_v<const T&, std::span<float>, const extent3&, random_stream&>)
    static_assert(
        detail::never<T>,
        "comodal: the operator() of a volume_transform must be const, because several threads call it at once");
  else if constexpr (!volume_transform<T>)
    static_assert(
        detail::never<T>,
        "comodal: this type is no volume_transform: its operator() must return void and change the crop in place");
}

/// Several transforms, one after the other, on one random stream per modality and one per crop.
template <class... Transforms>
class transform_chain {
 public:
  explicit transform_chain(Transforms... transforms) : m_transforms(std::move(transforms)...) {
    (check_volume_transform<Transforms>(), ...);
  }

  void operator()(std::span<float> crop, const extent3& size, random_stream& random) const {
    std::apply([&](const Transforms&... transform) { (transform(crop, size, random), ...); }, m_transforms);
  }
  void operator()(std::span<float> crop, const extent3& size, random_stream& random, random_stream& crop_random) const {
    const auto apply = [&](const auto& transform) {
      if constexpr (joint_volume_transform<std::remove_cvref_t<decltype(transform)>>)
        transform(crop, size, random, crop_random);
      else
        transform(crop, size, random);
    };
    std::apply([&](const Transforms&... transform) { (apply(transform), ...); }, m_transforms);
  }

 private:
  std::tuple<Transforms...> m_transforms;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
