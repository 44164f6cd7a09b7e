// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/square_eta.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

constexpr std::array<std::int64_t, 9> kLastIteration{10,   50,   200,  500, 1000,
                                                     2000, 4000, 6000, 8000};

at::Tensor with_unit_norm(const at::Tensor& values, Norm norm) {
  return values / sample_norms(values.unsqueeze(0), norm);
}

}  // namespace

ImageSize image_size(const at::Tensor& x) {
  ImageSize size;
  if (x.dim() > 1) size.width = x.size(-1);
  if (x.dim() > 2) size.height = x.size(-2);
  size.channels = x.numel() / (x.size(0) * size.height * size.width);
  return size;
}

double square_share(double p_init, std::int64_t iteration) {
  const auto halvings = std::lower_bound(kLastIteration.begin(), kLastIteration.end(), iteration) -
                        kLastIteration.begin();
  return std::ldexp(p_init, -static_cast<int>(halvings));
}

WindowSize square_window(const ImageSize& size, Norm norm, double share) {
  const auto vector = std::min(size.height, size.width) == 1;
  const auto pixels = share * static_cast<double>(size.height * size.width);
  auto side = static_cast<std::int64_t>(std::nearbyint(vector ? pixels : std::sqrt(pixels)));
  side = std::max<std::int64_t>(side, norm == Norm::linf ? 1 : 3);
  if (norm != Norm::linf && side % 2 == 0) ++side;
  if (!vector) side = std::min({side, size.height, size.width});
  return {.rows = std::min(side, size.height), .columns = std::min(side, size.width)};
}

at::Tensor square_rectangles(std::int64_t rows, std::int64_t columns, Norm norm) {
  const auto count = std::max(rows / 2, columns / 2) + 1;
  const auto term = at::arange(1, count + 1, at::kDouble).pow(norm == Norm::l1 ? -4 : -2);
  const auto height_at_distance = term.flip(0).cumsum(0).flip(0);
  const auto down = (at::arange(rows) - rows / 2).abs().unsqueeze(1);
  const auto across = (at::arange(columns) - columns / 2).abs().unsqueeze(0);
  return with_unit_norm(height_at_distance.index({at::maximum(down, across)}), norm);
}

at::Tensor square_eta(const WindowSize& window, Norm norm, bool turned) {
  if (turned) return square_eta({.rows = window.columns, .columns = window.rows}, norm, false).t();
  const auto upper = window.rows / 2;
  const auto eta = at::cat({square_rectangles(upper, window.columns, norm),
                            -square_rectangles(window.rows - upper, window.columns, norm)});
  return with_unit_norm(eta, norm).to(at::kFloat);
}

}  // namespace namid::attacks
