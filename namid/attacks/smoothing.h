// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "namid/core/options.h"

namespace namid::attacks {

/// Shape of the kernel that a gradient is smoothed with. gaussian: the normal density at k points
/// of [−3, 3]; linear: 1 − |i| / ((k + 1) / 2); uniform: all alike.
enum class Kernel { gaussian, linear, uniform };

/// Translation invariance, Dong et al. 2019 (arXiv:1904.02884, dong2019), Eq. (8): the gradient is
/// convolved with a kernel, which approximates the mean gradient over shifted images.
struct Smoothing {
  Kernel kernel = Kernel::gaussian;
  int kernel_size = 15;
  static constexpr auto fields() {
    return std::tuple{
        field("kernel", &Smoothing::kernel, "shape of the kernel that smooths the gradient"),
        field("kernel_size", &Smoothing::kernel_size, "its odd number of pixels a side",
              at_least(1))};
  }
};
NAMID_CHECK_FIELDS(Smoothing);

/// The kernel (k, k), float32, of sum 1: the outer product of its profile with itself. OptionError
/// "[ti-dim] kernel_size: expected an odd number, got 4" for an even size.
at::Tensor kernel_of(const Smoothing& smoothing, std::string_view where);

/// Each channel of `gradient` (N, C, H, W) convolved with `kernel`, zeros outside.
at::Tensor smoothed(const at::Tensor& gradient, const at::Tensor& kernel);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Kernel> {
  static constexpr std::array kNames{"gaussian", "linear", "uniform"};
};
}  // namespace namid
