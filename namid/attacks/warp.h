// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/core/options.h"

namespace namid::attacks {

/// What lies outside a turned or shifted image: black, or the image mirrored at its border pixels.
/// A model trained on mirrored images sees black corners as something new, and the other way round.
enum class Padding { zeros, reflect };

/// The unit of a shift. pixels: exact, so that whole shifts move pixels as they are; foolbox: that
/// library's, (W − 1) / H of a pixel to the side and (H − 1) / W down.
enum class ShiftUnit { pixels, foolbox };

/// Images (N, C, H, W) turned about their centre by `rotation` degrees and shifted by (dx, dy)
/// pixels, each float (N), on the images' device, in one bilinear resampling. With u, v in [−1, 1]
/// at the pixels' centres, the output at (u, v) is the input at
///   (cos φ · u − sin φ · v + 2 dx / (W − 1),  sin φ · u + cos φ · v + 2 dy / (H − 1))
/// so that the content moves left for dx > 0 and up for dy > 0. OptionError for images of one row
/// or column, whose shift has no unit.
at::Tensor warped(const at::Tensor& images, const at::Tensor& rotation, const at::Tensor& dx,
                  const at::Tensor& dy, Padding padding = Padding::zeros,
                  ShiftUnit unit = ShiftUnit::pixels);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Padding> {
  static constexpr std::array kNames{"zeros", "reflect"};
};
template <>
struct EnumNames<attacks::ShiftUnit> {
  static constexpr std::array kNames{"pixels", "foolbox"};
};
}  // namespace namid
