// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "namid/attacks/transport_lanes.h"

namespace namid::attacks {

/// The rows of plans in blocks (transport_lanes.h), packed once for all trials of a multiplier.
/// Rows are shared out among threads; equal bits for any number of them and any neighbours in the
/// batch.
class PackedRows {
 public:
  /// Whether they take such plans: float32 on the CPU.
  static bool take(const at::Tensor& plan);

  /// plan: (N, C, H, W, K²); x: (N, C, H, W), row sums; costs: (H, W, K²). gamma 0: rows are
  /// simplex projections, else softmax (rows_at).
  PackedRows(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs, double gamma,
             engine::InstructionSet instructions = engine::best_instruction_set());

  /// ⟨costs, π(λ)⟩ of each sample, float64 (N); lambda: float64 (N).
  at::Tensor cost(const at::Tensor& lambda) const { return run(lambda, {}); }
  /// π(λ), shaped like the plan, its memory in K² images of (H, W).
  at::Tensor plan(const at::Tensor& lambda) const;

 private:
  at::Tensor run(const at::Tensor& lambda, const at::Tensor& rows) const;

  std::int64_t samples_, channels_, height_, width_, moves_;
  float gamma_;
  engine::InstructionSet instructions_;
  at::Tensor values_, totals_, costs_;
};

/// Σ_k of each row of a plan, float64 (N, C, H, W).
at::Tensor departed(const at::Tensor& plan);

/// ⟨costs, plan⟩ of each sample, float64 (N), of a plan that PackedRows take.
at::Tensor cost_by_images(const at::Tensor& plan, const at::Tensor& costs);

}  // namespace namid::attacks
