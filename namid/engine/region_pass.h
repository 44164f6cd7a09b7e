// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "namid/engine/passes.h"
#include "namid/engine/region_plan.h"

namespace namid::engine {

/// How each step of a network can be computed in part, for so many images.
std::vector<PartOf> parts(const Network& network, std::int64_t rows);

/// A forward of known images whose values stay, and forwards of others that write into them what
/// differs (models/region_forward.h). (Not for callers of the engine.)
class RegionPass : private ForwardPass {
 public:
  RegionPass(const Network& network, Memory& memory) : ForwardPass(network, memory, nullptr) {}

  void keep(const at::Tensor& x);
  at::Tensor logits(const at::Tensor& x, const Rectangle& changed);
  /// accepted: bool (N), contiguous; undefined: none.
  void settle(const at::Tensor& accepted);

 private:
  void fit(const Rectangle& changed);
  void keep_values();
  void compute_part(std::size_t i, const Rectangle& changed);
  void pointwise_part(std::size_t i, const Rectangle& changed);
  void settle_image(std::int64_t image, bool accepted) const;

  std::optional<RegionPlan> plan_;
  std::vector<at::Tensor> kept_;    ///< per step: of the known images, where it is computed in part
  std::vector<Rectangle> differs_;  ///< per step: of values_ from kept_; empty: nowhere
};

}  // namespace namid::engine
