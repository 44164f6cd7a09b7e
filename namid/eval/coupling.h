// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace namid::eval {

/// What is true of the plan that is said to make one image of another.
struct Coupling {
  std::string problem;   ///< why it is none: "no plan was given"; empty: it is one
  double mean_cost = 0;  ///< mean distance in pixels that a unit of mass travels
};

/// Checks the plans (N, C, H, W, K²), float32, entry by entry in float64: π[n, c, h, w, k] is what
/// goes from pixel (h, w) to (h + ⌊k / K⌋ − ⌊K/2⌋, w + k mod K − ⌊K/2⌋) at the Euclidean distance.
/// A coupling has no entry below −1e-6 and nothing beyond the image, its row sums are x and its
/// column sums x_adv, to 1e-5 each, and each channel of x_adv has the mass of x's to 1e-5 of it. A
/// negative entry costs what a positive one would. Shares no code with the attacks. x, x_adv:
/// float32 (N, ...). An undefined `plan`, and one of another shape or of images without rows and
/// columns, is a coupling of no sample.
std::vector<Coupling> check_couplings(const at::Tensor& x, const at::Tensor& x_adv,
                                      const at::Tensor& plan);

}  // namespace namid::eval
