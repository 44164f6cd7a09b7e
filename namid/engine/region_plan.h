// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "namid/engine/plan.h"
#include "namid/models/rectangle.h"

namespace namid::engine {

using models::Interval;
using models::Rectangle;

/// How a step can be computed for a part of its value.
enum class PartOf { nothing, tiles, pixels };

/// What of each value of a network has to be computed where images differ from known ones inside a
/// rectangle alone: geometry, no arithmetic. A convolution's value differs where its kernel meets
/// what differs of its input (in tiles: see results_of), a sum's where a summand does; behind a
/// linear layer all differs.
class RegionPlan {
 public:
  /// parts: of each step, how it can be computed in part. Rectangles are to have `height` rows and
  /// `width` columns. `plan` must outlive the object. A step is computed in part (`in_part`) where
  /// that saves at least kLeastSaved of it, averaged over where the rectangle may lie; below,
  /// copies cost what is saved.
  RegionPlan(const Plan& plan, std::vector<PartOf> parts, std::int64_t height, std::int64_t width);
  static constexpr double kLeastSaved = 0.1;

  bool fits(const Rectangle& changed) const;  ///< whether it has those sizes
  bool in_part(std::size_t step) const { return in_part_[step]; }
  const std::vector<bool>& in_part() const { return in_part_; }

  /// Where each step's value may differ, for images that differ inside `images` alone.
  std::vector<Rectangle> changed(const Rectangle& images) const;

  /// Multiply-adds of convolutions and linear layers for one image: those made where images differ
  /// inside `images` alone, and all of a forward. Tiles are computed whole, as far as they lie
  /// inside of the value.
  double multiply_adds(const Rectangle& images) const;
  double multiply_adds() const;

 private:
  /// The pixels that are computed where the step is computed in part.
  Rectangle part(std::size_t step, const Rectangle& changed) const;

  const Plan& plan_;
  std::vector<PartOf> parts_;
  std::int64_t height_, width_;
  std::vector<bool> in_part_;
};

}  // namespace namid::engine
