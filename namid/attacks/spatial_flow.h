// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Spatially transformed images, Xiao et al. 2018 (arXiv:1801.02612, xiao2018), Eq. (2) to (4):
/// each pixel of x_adv is taken from a place of x of its own, where f holds how far that is, and f
/// minimises by L-BFGS, for each sample,
///   max(z_y − max_{j≠y} z_j + kappa, 0) + smoothness · (‖D_W f‖ + ‖D_H f‖)
/// with D_W f, D_H f the differences of f between neighbours in a row and in a column, over both
/// coordinates. In the grid's units: f in [−1, 1] across the image, pixel j of W at (2j + 1) / W −
/// 1; places stay inside the image, values are bilinear.
struct SpatialFlowOptions {
  int steps = 100;
  int searches = 1;
  double smoothness = 1;
  double kappa = 0;
  int memory = 10;
  bool targeted = false;
  static constexpr auto fields() {
    using T = SpatialFlowOptions;
    return std::tuple{
        field("steps", &T::steps, "L-BFGS steps of each search", at_least(1)),
        field("searches", &T::searches,
              "searches; each begins where the last one ended, without its memory", at_least(1)),
        field("smoothness", &T::smoothness, "weight of the flow's roughness", at_least(0)),
        field("kappa", &T::kappa, "margin that is asked for", at_least(0)),
        field("memory", &T::memory, "steps that L-BFGS remembers", at_least(1)),
        field("targeted", &T::targeted, "y holds target classes, towards which x moves")};
  }
};
NAMID_CHECK_FIELDS(SpatialFlowOptions);

/// What the flow did to each sample.
struct SpatialFlowResult {
  at::Tensor x_adv;         ///< the fooling image of the smallest displacement; x where none fools
  at::Tensor success;       ///< bool (N): misclassified (targeted: classified as the target)
  at::Tensor loss;          ///< float32 (N): the margin (or the caller's loss) at x_adv
  at::Tensor flow;          ///< float32 (N, H, W, 2): how far to the right and down, in pixels
  at::Tensor displacement;  ///< float64 (N): Σ f², in the grid's units
  at::Tensor roughness;     ///< float64 (N): ‖D_W f‖ + ‖D_H f‖
  Passes passes;
};

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N). Every image on the way is judged; a sample that
/// is misclassified already is returned as it is, with a flow of 0, and one that is never fooled
/// too. context.loss and context.gradient replace the margin. One forward more than evaluations,
/// one backward each; a step takes one evaluation as a rule, 20 at most, and rows that are done
/// pass too.
///
/// Deviations from the paper: norms of whole difference fields, not a sum of norms at each pixel,
/// and 1 for its weight of 0.05, as in the code that NAMID calls (advertorch); from that code: each
/// sample is minimised by itself, not the batch as one vector; a sample never fooled comes back
/// clean, not black; and every image is judged, not each search's last. ‖·‖ is √(· + 1e-20 a
/// term), so that the gradient is 0 at f = 0.
///
/// OptionError before the first pass for unfit arguments and samples that are no images;
/// NumericError; run::Interrupted.
SpatialFlowResult spatial_flow(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                               const SpatialFlowOptions& options = {}, const Context& context = {});

/// Images (N, C, H, W) with every pixel taken from (N, H, W, 2) float64 flow away, in the grid's
/// units.
at::Tensor flowed(const at::Tensor& images, const at::Tensor& flow);

}  // namespace namid::attacks
