// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/attacks/draws.h"

namespace namid::attacks {

/// Input diversity, Xie et al. 2019 (arXiv:1803.06978, xie2019), Eq. (3): with a probability the
/// image is resized bilinearly to r × r and padded with zeros to S × S at a random place.
struct Diversity {
  double probability = 0.5;
  Automatic<double> resize = {};
  static constexpr auto fields() {
    return std::tuple{
        field("probability", &Diversity::probability, "of changing an image at a step",
              between(0, 1)),
        field("resize", &Diversity::resize,
              "rate: above 1, r is drawn from [H, rate · H], S = rate · H, as in the paper, which "
              "only some models accept; below 1, r is drawn from [rate · H, H], S = H; auto: 1.1 "
              "where the model takes such images, else 0.9",
              between(0.1, 4))};
  }
};
NAMID_CHECK_FIELDS(Diversity);

/// One image's share of the diversity: the resized image's size and its place in the padded one.
struct Placement {
  std::int64_t rows = 0, columns = 0;  ///< r of both sides
  std::int64_t top = 0, left = 0;
};

/// Images (N, C, H, W), each resized to its placement and padded with zeros to `size` = {rows,
/// columns}; as torch's bilinear interpolation with align_corners = false, without antialiasing.
/// Differentiable.
at::Tensor placed(const at::Tensor& images, const std::vector<Placement>& placements,
                  at::IntArrayRef size);

/// Images (N, C, H, W) at a step: image i is placed at random, drawn by (its id, step) alone, with
/// both sides resized at one rate; r and place are drawn from ranges whose ends are included. An
/// image that is not changed keeps its size, in the middle of the padded one.
at::Tensor diversified(const at::Tensor& images, const Diversity& diversity, const Draws& draws,
                       int step);

/// The resize rate in force: the option, or what the model accepts; where that must be tried, by a
/// forward of one zero image, added to `passes`. OptionError where the model refuses images of the
/// option's size.
double resize_rate(const Classifier& model, const at::Tensor& x, const Diversity& diversity,
                   std::string_view where, Passes& passes);

}  // namespace namid::attacks
