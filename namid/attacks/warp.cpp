// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/warp.h"

#include <c10/util/StringUtil.h>

#include <numbers>

#include "namid/core/error.h"

namespace namid::attacks {
namespace {

constexpr std::int64_t kBilinear = 0, kZeros = 0, kReflection = 2;  // of torch's grid_sampler

/// Where a pixel of the output comes from, float32 (N, H, W, 2).
at::Tensor sources(const at::Tensor& images, const at::Tensor& rotation, const at::Tensor& dx,
                   const at::Tensor& dy, ShiftUnit unit) {
  const auto options = images.options().dtype(at::kFloat);
  const auto rows = images.size(2), columns = images.size(3);
  const auto u = at::linspace(-1, 1, columns, options).view({1, 1, columns});
  const auto v = at::linspace(-1, 1, rows, options).view({1, rows, 1});
  const auto spread = [](const at::Tensor& values) {
    return values.to(at::kFloat).view({-1, 1, 1});
  };
  const auto angle = spread(rotation) * (std::numbers::pi / 180);
  const bool pixels = unit == ShiftUnit::pixels;
  const auto across = spread(dx) * (2.0 / static_cast<double>(pixels ? columns - 1 : rows));
  const auto down = spread(dy) * (2.0 / static_cast<double>(pixels ? rows - 1 : columns));
  return at::stack(
      {angle.cos() * u - angle.sin() * v + across, angle.sin() * u + angle.cos() * v + down}, 3);
}

}  // namespace

at::Tensor warped(const at::Tensor& images, const at::Tensor& rotation, const at::Tensor& dx,
                  const at::Tensor& dy, Padding padding, ShiftUnit unit) {
  if (images.dim() != 4 || images.size(2) < 2 || images.size(3) < 2)
    throw OptionError(str("[warp] images: expected (N, C, H, W) of at least 2 x 2 pixels, got ",
                          c10::str(images.sizes())));
  return at::grid_sampler_2d(images, sources(images, rotation, dx, dy, unit), kBilinear,
                             padding == Padding::zeros ? kZeros : kReflection,
                             /*align_corners=*/true);
}

}  // namespace namid::attacks
