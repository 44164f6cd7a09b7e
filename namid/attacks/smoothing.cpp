// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/smoothing.h"

#include "namid/core/error.h"

namespace namid::attacks {
namespace {

at::Tensor profile(Kernel kernel, std::int64_t size) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  switch (kernel) {
    case Kernel::gaussian:
      if (size == 1) break;
      return (at::linspace(-3, 3, size, options).square() / -2).exp();
    case Kernel::linear: {
      const double half = static_cast<double>(size - 1) / 2;
      return 1 - at::arange(-half, half + 0.5, 1, options).abs() / (half + 1);
    }
    case Kernel::uniform:
      break;
  }
  return at::ones({size}, options);
}

}  // namespace

at::Tensor kernel_of(const Smoothing& smoothing, std::string_view where) {
  if (smoothing.kernel_size % 2 == 0)
    throw OptionError(
        str("[", where, "] kernel_size: expected an odd number, got ", smoothing.kernel_size));
  const auto side = profile(smoothing.kernel, smoothing.kernel_size);
  const auto kernel = at::outer(side, side);
  return (kernel / kernel.sum()).to(at::kFloat);
}

at::Tensor smoothed(const at::Tensor& gradient, const at::Tensor& kernel) {
  const auto rows = gradient.size(2), columns = gradient.size(3), size = kernel.size(0);
  const auto planes = gradient.reshape({-1, 1, rows, columns});
  const auto weight = kernel.to(gradient.device()).view({1, 1, size, size});
  return at::conv2d(planes, weight, {}, 1, size / 2).view(gradient.sizes());
}

}  // namespace namid::attacks
