// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transport_rows.h"

#include <vector>

#include "namid/core/tensor_parallel.h"

namespace namid::attacks {
namespace {

std::int64_t blocks_of(std::int64_t pixels) {
  return (pixels + kLanes - 1) / kLanes;
}

/// (..., pixels) with zeros up to a whole block.
at::Tensor padded(const at::Tensor& values) {
  const auto missing = blocks_of(values.size(-1)) * kLanes - values.size(-1);
  return missing == 0 ? values.contiguous() : at::constant_pad_nd(values, {0, missing});
}

/// (M, pixels, K²) → (M, blocks, K², 32).
at::Tensor packed(const at::Tensor& rows) {
  const auto moves = padded(rows.transpose(1, 2));
  return moves.view({rows.size(0), rows.size(2), -1, kLanes}).transpose(1, 2).contiguous();
}

at::Tensor over_channels(const std::vector<double>& of_image, std::int64_t channels) {
  const auto images = static_cast<std::int64_t>(of_image.size());
  auto sums = at::zeros({images / channels}, at::kDouble);
  for (std::int64_t i = 0; i < images; ++i)
    sums.data_ptr<double>()[i / channels] += of_image[static_cast<std::size_t>(i)];
  return sums;
}

}  // namespace

at::Tensor departed(const at::Tensor& plan) {
  if (!PackedRows::take(plan)) return plan.sum(-1, false, at::kDouble);
  const auto planes = plan.movedim(4, 2).contiguous();
  const auto moves = planes.size(2), pixels = planes.stride(2);
  auto sums = at::zeros(plan.sizes().slice(0, 4), plan.options().dtype(at::kDouble));
  parallel_for(0, plan.size(0) * plan.size(1), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin * moves; row < end * moves; ++row) {
      const auto* from = planes.const_data_ptr<float>() + row * pixels;
      auto* to = sums.data_ptr<double>() + row / moves * pixels;
      for (std::int64_t i = 0; i < pixels; ++i) to[i] += from[i];
    }
  });
  return sums;
}

at::Tensor cost_by_images(const at::Tensor& plan, const at::Tensor& costs) {
  const auto planes = plan.movedim(4, 2).contiguous(), of_moves = costs.movedim(2, 0).contiguous();
  const auto images = plan.size(0) * plan.size(1), size = of_moves.numel();
  std::vector<double> of_image(static_cast<std::size_t>(images));
  parallel_for(0, images, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i)
      of_image[static_cast<std::size_t>(i)] = sum_of_products(
          planes.const_data_ptr<float>() + i * size, of_moves.const_data_ptr<float>(), size);
  });
  return over_channels(of_image, plan.size(1));
}

bool PackedRows::take(const at::Tensor& plan) {
  return plan.is_cpu() && plan.scalar_type() == at::kFloat;
}

PackedRows::PackedRows(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                       double gamma, engine::InstructionSet instructions)
    : samples_(plan.size(0)),
      channels_(plan.size(1)),
      height_(plan.size(2)),
      width_(plan.size(3)),
      moves_(plan.size(4)),
      gamma_(static_cast<float>(gamma)),
      instructions_(instructions),
      values_(packed(plan.flatten(2, 3).flatten(0, 1))),
      totals_(padded(x.flatten(2).flatten(0, 1)).contiguous()),
      costs_(packed(costs.flatten(0, 1).unsqueeze(0))) {}

at::Tensor PackedRows::run(const at::Tensor& lambda, const at::Tensor& rows) const {
  const auto images = samples_ * channels_, size = values_.stride(0), pixels = totals_.stride(0);
  const auto multiplier = lambda.to(at::kFloat).contiguous();
  std::vector<double> of_image(static_cast<std::size_t>(images));
  parallel_for(0, images, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(moves_ * kLanes));
    for (auto i = begin; i < end; ++i) {
      const RowBlocks blocks{.values = values_.const_data_ptr<float>() + i * size,
                             .totals = totals_.const_data_ptr<float>() + i * pixels,
                             .costs = costs_.const_data_ptr<float>(),
                             .blocks = pixels / kLanes,
                             .moves = moves_};
      auto* out = rows.defined() ? rows.data_ptr<float>() + i * size : nullptr;
      of_image[static_cast<std::size_t>(i)] =
          rows_at(blocks, {multiplier.const_data_ptr<float>()[i / channels_], gamma_}, out,
                  scratch.data(), instructions_);
    }
  });
  return over_channels(of_image, channels_);
}

at::Tensor PackedRows::plan(const at::Tensor& lambda) const {
  const auto rows = at::empty_like(values_);
  run(lambda, rows);
  const auto planes = rows.transpose(1, 2).flatten(2).narrow(2, 0, height_ * width_);
  return planes.reshape({samples_, channels_, moves_, height_, width_}).movedim(2, 4);
}

}  // namespace namid::attacks
