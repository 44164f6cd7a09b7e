// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "namid/attacks/attack.h"
#include "namid/attacks/draws.h"

namespace namid::attacks {

/// Where an attack starts. uniform: uniform in the ball (L2, L1: uniform in volume, radius
/// U^(1/d)), moved into [0,1]; gauss: x + 0.001 N(0,1), not clipped (reference code); none: x
/// itself.
enum class Start { uniform, gauss, none };

/// True where the start point lies in ball and box, so that it may be judged and returned.
constexpr bool start_is_feasible(Start start) {
  return start != Start::gauss;
}

/// A fresh start point, shaped like x (N, ...) and without graph. In reference order `gauss` in L2
/// is the second draw of its shape (the released code of NAMID draws one for L∞ before).
at::Tensor start_point(const at::Tensor& x, Start start, const Budget& budget, const Draws& draws);

/// The same, row i drawn at (ids[i], epoch): neither batch size nor order changes it.
at::Tensor start_point(const at::Tensor& x, Start start, const Budget& budget, const Random& random,
                       const SampleIds& ids, std::uint32_t epoch);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Start> {
  static constexpr std::array kNames{"uniform", "gauss-0.001", "none"};
};
}  // namespace namid
