// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/diversity.h"

#include <algorithm>
#include <cmath>

#include "namid/core/error.h"

namespace namid::attacks {
namespace {

std::int64_t scaled(std::int64_t size, double rate) {
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(size) * rate));
}

/// A whole number from [low, high], both included, by u in [0, 1).
std::int64_t drawn(double u, std::int64_t low, std::int64_t high) {
  return low +
         std::min(high - low, static_cast<std::int64_t>(u * static_cast<double>(high - low + 1)));
}

/// Weights (padded, source) by which a side of `source` pixels is resized to `size` pixels and
/// placed at `offset` of a side of `padded` pixels.
at::Tensor side_weights(std::int64_t source, std::int64_t size, std::int64_t offset,
                        std::int64_t padded) {
  auto weights = at::zeros({padded, source});
  auto rows = weights.accessor<float, 2>();
  const double ratio = static_cast<double>(source) / static_cast<double>(size);
  for (std::int64_t i = 0; i < size; ++i) {
    const double at = std::max(0.0, (static_cast<double>(i) + 0.5) * ratio - 0.5);
    const auto first = std::min(static_cast<std::int64_t>(at), source - 1);
    const auto second = std::min(first + 1, source - 1);
    const auto share = static_cast<float>(at - static_cast<double>(first));
    rows[offset + i][first] += 1 - share;
    rows[offset + i][second] += share;
  }
  return weights;
}

/// Where image i goes, by four numbers in [0, 1): coin, size, top, left.
Placement place(const float* u, const Diversity& diversity, double rate, at::IntArrayRef image,
                at::IntArrayRef padded) {
  const auto rows = image[0], columns = image[1];
  if (u[0] >= diversity.probability)
    return {rows, columns, (padded[0] - rows) / 2, (padded[1] - columns) / 2};
  const auto least = std::min(rows, scaled(rows, rate)), most = std::max(rows, scaled(rows, rate));
  Placement at;
  at.rows = drawn(u[1], least, most);
  at.columns = std::min(padded[1],
                        scaled(columns, static_cast<double>(at.rows) / static_cast<double>(rows)));
  at.top = drawn(u[2], 0, padded[0] - at.rows);
  at.left = drawn(u[3], 0, padded[1] - at.columns);
  return at;
}

std::vector<std::int64_t> padded_size(const at::Tensor& images, double rate) {
  const double larger = std::max(rate, 1.0);
  return {scaled(images.size(2), larger), scaled(images.size(3), larger)};
}

bool accepts(const Classifier& model, const at::Tensor& x, double rate, Passes& passes) {
  const auto size = padded_size(x, rate);
  ++passes.forwards;
  try {
    const auto logits = model.at_any_size(at::zeros({1, x.size(1), size[0], size[1]}, x.options()));
    return logits.dim() == 2 && logits.size(1) == model.info().num_classes;
  } catch (const std::exception&) {  // whatever a model says of a size it does not know
    return false;
  }
}

}  // namespace

at::Tensor placed(const at::Tensor& images, const std::vector<Placement>& placements,
                  at::IntArrayRef size) {
  std::vector<at::Tensor> vertical, horizontal;
  for (const auto& at : placements) {
    vertical.push_back(side_weights(images.size(2), at.rows, at.top, size[0]));
    horizontal.push_back(side_weights(images.size(3), at.columns, at.left, size[1]));
  }
  const auto down = at::stack(vertical).unsqueeze(1).to(images.device());
  const auto across = at::stack(horizontal).unsqueeze(1).to(images.device());
  return at::matmul(at::matmul(down, images), across.transpose(2, 3));
}

at::Tensor diversified(const at::Tensor& images, const Diversity& diversity, const Draws& draws,
                       int step) {
  const double rate = diversity.resize.value_or(1);
  const auto like = at::empty({images.size(0), 4});
  const auto u = draws.uniform(like, static_cast<std::uint32_t>(step)).contiguous();
  const auto padded = padded_size(images, rate);
  std::vector<Placement> placements;
  for (std::int64_t i = 0; i < images.size(0); ++i)
    placements.push_back(
        place(u.data_ptr<float>() + 4 * i, diversity, rate, images.sizes().slice(2), padded));
  return placed(images, placements, padded);
}

double resize_rate(const Classifier& model, const at::Tensor& x, const Diversity& diversity,
                   std::string_view where, Passes& passes) {
  constexpr double kExpand = 1.1, kShrink = 0.9;
  if (diversity.resize.is_auto()) return accepts(model, x, kExpand, passes) ? kExpand : kShrink;
  const double rate = diversity.resize.value_or(1);
  if (rate > 1 && !accepts(model, x, rate, passes))
    throw OptionError(str("[", where, "] resize: the model takes no images that are larger by ",
                          rate, "; give a rate below 1, such as 0.9"));
  return rate;
}

}  // namespace namid::attacks
