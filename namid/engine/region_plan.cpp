// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/region_plan.h"

#include <algorithm>

#include "namid/engine/winograd_tiles.h"

namespace namid::engine {
namespace {

/// Where windows meet what differs: window j reads from stride · j − padding on.
Interval met(const models::Window& window, std::size_t axis, const Interval& in,
             std::int64_t size) {
  const auto stride = window.stride[axis], padding = window.padding[axis];
  const auto reach = window.dilation[axis] * (window.kernel[axis] - 1);
  const auto first = in.first + padding - reach, last = in.last - 1 + padding;
  return {first <= 0 ? 0 : (first + stride - 1) / stride, std::min(last / stride + 1, size)};
}

Interval reached(const Step& step, PartOf part, std::size_t axis, const Interval& in) {
  if (in.length() == 0) return {};
  const auto size = axis == 0 ? step.height : step.width;
  switch (step.op) {
    case StepOp::images:
    case StepOp::pointwise:
      return in;
    case StepOp::convolution:
      if (part == PartOf::tiles)
        return results_of(
            step.window.stride[axis] == 1 ? WinogradForm::plain : WinogradForm::strided, in, size);
      [[fallthrough]];
    case StepOp::avg_pool:
    case StepOp::max_pool:
      return met(step.window, axis, in, size);
    case StepOp::linear:
    case StepOp::flatten:
      break;
  }
  return {0, size};
}

}  // namespace

RegionPlan::RegionPlan(const Plan& plan, std::vector<PartOf> parts, std::int64_t height,
                       std::int64_t width)
    : plan_(plan),
      parts_(std::move(parts)),
      height_(height),
      width_(width),
      in_part_(plan.steps.size()) {
  const auto& images = plan.steps.front();
  const auto down = images.height - height + 1, across = images.width - width + 1;
  std::vector<double> rows(in_part_.size()), columns(in_part_.size());
  // Rows and columns do not depend on each other: both are tried at once.
  for (std::int64_t at = 0; at < std::max(down, across); ++at) {
    const auto top = std::min(at, down - 1), left = std::min(at, across - 1);
    const auto all = changed({{top, top + height}, {left, left + width}});
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto computed = part(i, all[i]);
      if (at < down) rows[i] += static_cast<double>(computed.rows.length());
      if (at < across) columns[i] += static_cast<double>(computed.columns.length());
    }
  }
  for (std::size_t i = 0; i < in_part_.size(); ++i) {
    const auto& step = plan.steps[i];
    const auto mean =
        rows[i] / static_cast<double>(down) * columns[i] / static_cast<double>(across);
    in_part_[i] = parts_[i] != PartOf::nothing &&
                  mean <= (1 - kLeastSaved) * static_cast<double>(step.height * step.width);
  }
}

bool RegionPlan::fits(const Rectangle& changed) const {
  return changed.rows.length() == height_ && changed.columns.length() == width_;
}

std::vector<Rectangle> RegionPlan::changed(const Rectangle& images) const {
  std::vector<Rectangle> all(plan_.steps.size());
  all[0] = images;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const auto& step = plan_.steps[i];
    const auto& in = all[step.input];
    all[i] = {reached(step, parts_[i], 0, in.rows), reached(step, parts_[i], 1, in.columns)};
    if (!step.residual) continue;
    const auto& added = all[*step.residual];
    all[i] = {united(all[i].rows, added.rows), united(all[i].columns, added.columns)};
  }
  return all;
}

Rectangle RegionPlan::part(std::size_t step, const Rectangle& changed) const {
  if (parts_[step] != PartOf::tiles) return changed;
  const auto& of = plan_.steps[step];
  return {whole_tiles(changed.rows, of.height), whole_tiles(changed.columns, of.width)};
}

double RegionPlan::multiply_adds(const Rectangle& images) const {
  const auto all = changed(images);
  double sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& step = plan_.steps[i];
    if (step.op != StepOp::convolution && step.op != StepOp::linear) continue;
    const auto pixels = in_part_[i] ? part(i, all[i]).area() : step.height * step.width;
    sum += static_cast<double>(pixels) * static_cast<double>(step.weight.numel());
  }
  return sum;
}

double RegionPlan::multiply_adds() const {
  double sum = 0;
  for (const auto& step : plan_.steps)
    if (step.op == StepOp::convolution || step.op == StepOp::linear)
      sum +=
          static_cast<double>(step.height * step.width) * static_cast<double>(step.weight.numel());
  return sum;
}

}  // namespace namid::engine
