// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a run asks of its weights while it trains: the Dice of cases that were kept apart, and where foreground is.
#ifndef COMODAL_APP_VALIDATION_HPP
#define COMODAL_APP_VALIDATION_HPP

#include <comodal/data/prepared_case.hpp>
#include <comodal/metric/score.hpp>
#include <comodal/model/model_plan.hpp>

#include <vector>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// The mean Dice over cases and foreground classes of the fused output on cases that were kept apart.
template <class Segment>
double mean_dice(const std::vector<prepared_case>& cases, const model_plan& plan, const Segment& segment) {
  double sum = 0;
  int number = 0;
  for (const auto& one : cases) {
    label_volume predicted = segment(*one.images()), truth = *one.label();
    leave_out(predicted, truth, plan.prepare.ignored);
    for (std::size_t c = 1; c < plan.labels.size(); ++c) {
      sum += dice(count_overlap(predicted, truth, plan.labels[c]));
      ++number;
    }
  }
  return number > 0 ? sum / number : 0;
}

// Every fourth voxel along each axis: where the teacher finds foreground.
inline label_volume coarse_mask(const label_volume& fine) {
  label_volume mask;
  for (std::size_t a = 0; a < 3; ++a) mask.geometry.size[a] = (fine.geometry.size[a] + 3) / 4;
  mask.values.assign(static_cast<std::size_t>(mask.geometry.voxels()), 0);
  for (index k = 0; k < fine.geometry.size[2]; ++k)
    for (index j = 0; j < fine.geometry.size[1]; ++j)
      for (index i = 0; i < fine.geometry.size[0]; ++i)
        if (fine.at(i, j, k) != 0) mask.at(i / 4, j / 4, k / 4) = fine.at(i, j, k);
  return mask;
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
