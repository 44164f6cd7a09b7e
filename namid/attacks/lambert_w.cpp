// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/lambert_w.h"

#include <numbers>

namespace namid::attacks {
namespace {

constexpr int kHalleySteps = 6, kNewtonSteps = 6;

at::Tensor first_guess(const at::Tensor& z) {
  const auto p = ((z * std::numbers::e + 1) * 2).sqrt();
  const auto at_branch = p * (p * (p * (11.0 / 72) - 1.0 / 3) + 1) - 1;
  const auto l1 = z.clamp_min(std::numbers::e).log();
  const auto l2 = l1.log();
  const auto beyond = l1 - l2 + l2 / l1;
  return at::where(z < -0.2, at_branch,
                   at::where(z < std::numbers::e, at::log1p(z.clamp_min(-0.2)), beyond));
}

}  // namespace

at::Tensor lambert_w(const at::Tensor& z) {
  auto w = first_guess(z);
  for (int step = 0; step < kHalleySteps; ++step) {
    const auto excess = w - z * (-w).exp();  // f / eʷ
    const auto slope = w + 1;
    const auto change = excess / (slope - (w + 2) * excess / (slope * 2));
    w = at::where(excess == 0, w, w - change);  // 0 / 0 at the branch point
  }
  return at::where(z.isposinf(), z, w);
}

at::Tensor lambert_w_of_exp(const at::Tensor& u) {
  const auto large = u.clamp_min(1);
  auto w = large - large.log();
  for (int step = 0; step < kNewtonSteps; ++step) w = w * (large - w.log() + 1) / (w + 1);
  return at::where(u < 1, lambert_w(u.clamp_max(1).exp()), w);
}

}  // namespace namid::attacks
