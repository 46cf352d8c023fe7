// SPDX-License-Identifier: Apache-2.0
/// @file
/// Labelled and unlabelled crops pasted into each other, both ways, for patients that lack modalities.
#ifndef COMODAL_SSL_PARTS_COPY_PASTE_HPP
#define COMODAL_SSL_PARTS_COPY_PASTE_HPP

#include <comodal/autograd/arithmetic.hpp>
#include <comodal/autograd/reduction.hpp>
#include <comodal/autograd/structure.hpp>
#include <comodal/ssl/device_batch.hpp>
#include <comodal/ssl/parts/constant_function.hpp>

#include <algorithm>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace ssl_detail {

template <class T>
struct flags_body {
  const std::uint8_t* flags;
  T* to;
  KOKKOS_INLINE_FUNCTION void operator()(index i) const { to[i] = flags[i] ? T(1) : T(0); }
};

// (N, ...) repeated from the front until there are `count` samples.
template <tensor_backend Backend>
[[nodiscard]] variable<Backend> repeated(const variable<Backend>& x, index count) {
  if (x.extent(0) == count) return x;
  std::vector<variable<Backend>> parts;
  for (index n = 0; n < count; n += x.extent(0)) parts.push_back(slice(x, 0, 0, std::min(x.extent(0), count - n)));
  return concat(parts, 0);
}

}  // namespace ssl_detail

/// Mixtures of P pairs of a labelled and an unlabelled crop (P: the larger of their numbers; the smaller set takes
/// turns). Mixtures 0 to P - 1 are the labelled crops with the box of the unlabelled ones, mixtures P to 2P - 1 the
/// unlabelled crops with the box of the labelled ones. A mixture has the modalities that both crops have. A pair that
/// has none in common stays as it is.
template <tensor_backend Backend>
class copy_paste {
 public:
  /// @param unlabelled with a box per crop @throws shape_error for crops without boxes or of different sizes
  copy_paste(const device_crops<Backend>& labelled, const device_crops<Backend>& unlabelled)
      : m_pairs(std::max(labelled.samples, unlabelled.samples)) {
    if (!unlabelled.box)
      throw shape_error("copy_paste: the unlabelled crops have no boxes; set box_masks in views() of the method");
    if (labelled.size != unlabelled.size || labelled.modalities != unlabelled.modalities)
      throw shape_error("copy_paste: labelled and unlabelled crops of different sizes or modalities");
    tape<Backend>& home = unlabelled.volumes.at(0).home();
    auto flags = home.ctx().make(unlabelled.box.shape());
    ops::each(home.ctx(), flags.size(),
              ssl_detail::flags_body<typename Backend::scalar_type>{unlabelled.box.data(), flags.data()});
    const auto box = in_pairs(home.constant(flags));
    const auto of_labelled = in_pairs(labelled.present.mask()), of_unlabelled = in_pairs(unlabelled.present.mask());
    const auto both = of_labelled * of_unlabelled;
    const auto alone = 1.0 - constant_function(ssl_detail::positive{}, sum(both, {1}));  // (P, 1)
    const auto pasted = box * reshape(1.0 - alone, {m_pairs, 1, 1, 1});
    m_known = detach(concat<Backend>({1.0 - pasted, pasted}, 0));
    const auto mask = concat<Backend>({both + alone * of_labelled, both + alone * of_unlabelled}, 0);
    m_present = presence<Backend>(detach(mask), detach(mask / sum(mask, {1})));
    const auto from = present_volumes("copy_paste", labelled.volumes, labelled.present, labelled.modalities),
               into = present_volumes("copy_paste", unlabelled.volumes, unlabelled.present, labelled.modalities);
    for (std::size_t m = 0; m < from.size(); ++m) m_volumes.push_back(mixed(from[m], into[m]));
  }

  [[nodiscard]] index samples() const { return 2 * m_pairs; }
  /// One per modality, (2P, D, H, W, 1).
  [[nodiscard]] const std::vector<variable<Backend>>& volumes() const { return m_volumes; }
  [[nodiscard]] const presence<Backend>& present() const { return m_present; }
  /// 1 where a voxel is of a labelled crop, else 0: (2P, D, H, W), a constant.
  [[nodiscard]] const variable<Backend>& known() const { return m_known; }
  /// Numbers of the labelled crops, (L, C), by mixture: those of the labelled crop in it, (2P, C).
  [[nodiscard]] variable<Backend> of_labelled(const variable<Backend>& numbers) const {
    const auto a = in_pairs(numbers);
    return concat<Backend>({a, a}, 0);
  }
  /// Mixtures of what belongs to the labelled crops (L, D, H, W, C) and to the unlabelled ones (U, D, H, W, C).
  [[nodiscard]] variable<Backend> mixed(const variable<Backend>& of_labelled,
                                        const variable<Backend>& of_unlabelled) const {
    const auto a = in_pairs(of_labelled), b = in_pairs(of_unlabelled);
    const shape& k = m_known.shape();
    const auto known = reshape(m_known, {k[0], k[1], k[2], k[3], 1});
    return known * concat<Backend>({a, a}, 0) + (1.0 - known) * concat<Backend>({b, b}, 0);
  }

 private:
  [[nodiscard]] variable<Backend> in_pairs(const variable<Backend>& x) const {
    return ssl_detail::repeated(x, m_pairs);
  }

  index m_pairs;
  variable<Backend> m_known;
  presence<Backend> m_present;
  std::vector<variable<Backend>> m_volumes;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
