// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/spatial_grid.h"

#include <limits>
#include <utility>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/draws.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kSpatialGrid = "spatial-grid";

/// One cell of each sample, float64 (N) each.
struct Cell {
  at::Tensor rotation, dx, dy;
};

std::int64_t cells_of(const SpatialGridOptions& options) {
  if (options.draws > 0) return options.draws;
  return std::int64_t{options.rotations} * options.shifts * options.shifts;
}

/// The i-th of `count` evenly spaced numbers in ±most; one alone is 0.
double spaced(double most, std::int64_t i, int count) {
  return count == 1 ? 0 : -most + 2 * most * static_cast<double>(i) / (count - 1);
}

Cell cell_of(const SpatialGridOptions& options, std::int64_t index, const at::Tensor& like) {
  const auto everywhere = [&](double value) {
    return at::full({like.size(0)}, value, like.options().dtype(at::kDouble));
  };
  const std::int64_t shifts = options.shifts;
  return {everywhere(spaced(options.max_rotation, index / (shifts * shifts), options.rotations)),
          everywhere(spaced(options.max_shift, index / shifts % shifts, options.shifts)),
          everywhere(spaced(options.max_shift, index % shifts, options.shifts))};
}

Cell drawn_cell(const SpatialGridOptions& options, std::int64_t index, const Draws& draws,
                const at::Tensor& like) {
  const auto numbers = draws.uniform(like.new_empty({like.size(0), 3}, at::kFloat),
                                     static_cast<std::uint32_t>(index));
  const auto within = [&](std::int64_t column, double most) {
    return (numbers.select(1, column).to(at::kDouble) * 2 - 1) * most;
  };
  return {within(0, options.max_rotation), within(1, options.max_shift),
          within(2, options.max_shift)};
}

/// Before the first cell.
SpatialGridResult nothing_tried(const at::Tensor& x, const at::Tensor& y,
                                const LossAndGradient& at_x) {
  const auto zeros = at::zeros_like(y, at::kDouble);
  const auto lowest = -std::numeric_limits<double>::infinity();
  return {.x_adv = x.clone(),
          .success = fooled(at_x.logits, y, false),
          .loss = at_x.loss,
          .cell = at::full_like(y, -1),
          .rotation = zeros,
          .dx = zeros,
          .dy = zeros,
          .failing = at::zeros_like(y),
          .worst_loss = at::full_like(y, lowest, y.options().dtype(at::kFloat)),
          .worst_rotation = zeros,
          .worst_dx = zeros,
          .worst_dy = zeros,
          .passes = {}};
}

void keep(SpatialGridResult& found, const Cell& cell, std::int64_t index, const at::Tensor& image,
          const LossAndGradient& point, const at::Tensor& wrong) {
  const auto first = wrong & found.success.logical_not();
  const auto worse = point.loss > found.worst_loss;
  const auto move = [](at::Tensor& kept, const at::Tensor& where, const at::Tensor& value) {
    kept = at::where(where, value, kept);
  };
  move(found.x_adv, per_sample(first, image), image);
  move(found.loss, first, point.loss);
  move(found.rotation, first, cell.rotation);
  move(found.dx, first, cell.dx);
  move(found.dy, first, cell.dy);
  found.cell = found.cell.masked_fill(first, index);
  move(found.worst_rotation, worse, cell.rotation);
  move(found.worst_dx, worse, cell.dx);
  move(found.worst_dy, worse, cell.dy);
  move(found.worst_loss, worse, point.loss);
  found.failing = found.failing + wrong.to(at::kLong);
  found.success = found.success | wrong;
}

}  // namespace

SpatialGridResult spatial_grid(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                               const SpatialGridOptions& options, const Context& context) {
  validate(options, kSpatialGrid);
  check_batch(model, x, y, kSpatialGrid);
  check_images(x, kSpatialGrid);
  const AttackScope scope(model);
  LossSurface surface(kSpatialGrid, model, y, climbed_loss(AttackLoss::cross_entropy, false),
                      context);
  const auto ids = context.ids.empty() ? hash_sample_ids(x, y) : context.ids;
  const Draws draws(context, ids, context.epoch);
  auto found = nothing_tried(x, y, surface.value(x, 0));
  found.cells = cells_of(options);
  for (std::int64_t index = 0; index < found.cells; ++index) {
    if (context.stop) context.stop->check();
    const auto cell =
        options.draws > 0 ? drawn_cell(options, index, draws, x) : cell_of(options, index, x);
    const auto image =
        warped(x, cell.rotation, cell.dx, cell.dy, options.padding, options.unit).clamp(0, 1);
    const auto point = surface.value(image, index);
    if (context.observe) context.observe(static_cast<int>(index), point.loss.mean().item<double>());
    keep(found, cell, index, image, point, fooled(point.logits, y, false));
  }
  found.passes = surface.finish();
  return found;
}

}  // namespace namid::attacks
