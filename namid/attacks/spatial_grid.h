// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/attacks/warp.h"

namespace namid::attacks {

/// Rotations and translations, Engstrom et al. 2019 (arXiv:1712.02779, engstrom2019): every cell of
/// a grid of `rotations` angles in ±max_rotation and `shifts` × `shifts` shifts in ±max_shift is
/// tried (Sec. 3.3; their grid: 31 × 5 × 5), or with draws > 0 that many cells drawn uniformly for
/// each sample ("worst of 10": draws = 10). No gradient is needed. The identity is a cell of grids
/// of odd counts alone; a count of 1 leaves that move out.
struct SpatialGridOptions {
  double max_rotation = 30;
  double max_shift = 3;
  int rotations = 5;
  int shifts = 5;
  int draws = 0;
  Padding padding = Padding::zeros;
  ShiftUnit unit = ShiftUnit::pixels;
  static constexpr auto fields() {
    using T = SpatialGridOptions;
    return std::tuple{
        field("max_rotation", &T::max_rotation, "largest angle in degrees", between(0, 180)),
        field("max_shift", &T::max_shift, "largest shift in pixels, along each axis", at_least(0)),
        field("rotations", &T::rotations, "angles of the grid", at_least(1)),
        field("shifts", &T::shifts, "shifts of the grid along each axis", at_least(1)),
        field("draws", &T::draws, "cells drawn at random for each sample; 0: the grid",
              at_least(0)),
        field("padding", &T::padding, "what lies outside the image"),
        field("unit", &T::unit, "pixels; foolbox: that library's unit of a shift")};
  }
};
NAMID_CHECK_FIELDS(SpatialGridOptions);

/// What the grid did to each sample, all (N).
struct SpatialGridResult {
  at::Tensor x_adv;    ///< at the first cell that fools; x where none does, or x itself fools
  at::Tensor success;  ///< bool: misclassified at x_adv
  at::Tensor loss;     ///< float32: cross-entropy at x_adv
  at::Tensor cell;     ///< int64: the first that fools, rotation outermost, then dx, then dy; −1
  at::Tensor rotation, dx, dy;                    ///< float64, of that cell; 0 where there is none
  at::Tensor failing;                             ///< int64: cells that fool
  at::Tensor worst_loss;                          ///< float32: largest cross-entropy of all cells
  at::Tensor worst_rotation, worst_dx, worst_dy;  ///< float64, of the cell of that loss
  std::int64_t cells = 0;                         ///< tried for each sample
  Passes passes;
};

/// x: float32 (N, C, H, W) in [0,1]; y: int64 (N). One forward a cell and sample and one for x. A
/// sample that is misclassified as it is is returned as it is, a success without a cell; its
/// failing cells and the worst are those of the grid, as of any other. OptionError before the first
/// pass for unfit arguments and for samples that are no images of at least 2 x 2 pixels;
/// NumericError; run::Interrupted.
SpatialGridResult spatial_grid(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                               const SpatialGridOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
