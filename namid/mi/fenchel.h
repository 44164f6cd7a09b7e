// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "namid/core/options.h"

namespace namid::mi {

/// The divergence between joint distribution and product of marginals whose Fenchel dual is used
/// (Nowozin et al. 2016, arXiv:1606.00709; names and forms of the Deep InfoMax and NAMID code, with
/// sp = softplus; p: score of an own pair, q: of another one):
///   measure   f⁺(p)            f⁻(q)
///   gan       −sp(−p)          sp(−q) + q
///   jsd       log 2 − sp(−p)   sp(−q) + q − log 2
///   x2        p²               −½ (|q| + 1)²
///   kl        p                e^(q−1)
///   rkl       −e^(−p)          q − 1
///   dv        p                log-mean-exp, see below
///   h2        1 − e^(−p)       e^q − 1
///   w1        p                q
/// kl is the bound of Nguyen, Wainwright & Jordan: −loss is a lower bound of mutual information in
/// expectation. All others are neither: they bound other divergences (jsd, gan: 2 JS and
/// 2 JS − log 4; rkl: KL of product from joint; h2: squared Hellinger), or nothing (w1 unless the
/// critic is 1-Lipschitz; x2 as the code has it, whose loss has no lower end).
enum class FenchelMeasure { gan, jsd, x2, kl, rkl, dv, h2, w1 };

/// loss[i,k] = mean_{j≠i} f⁻(u[i,j,k]) − f⁺(u[i,i,k]) for scores u (N, N, K), N ≥ 2. Returns
/// (N, K): a sample's loss is its mean over locations (the code knows only the mean of all).
/// dv, which fails in the code because its f⁻ reduces dimension 0 before the means: here
///   loss[j,k] = log( mean_{i≠j} exp u[i,j,k] ) − u[j,j,k],
/// the logarithm over dimension 0 as there (for each image, over the other global vectors), the own
/// pair excluded.
at::Tensor fenchel(const at::Tensor& scores, FenchelMeasure measure = FenchelMeasure::jsd);

enum class GeneratorLoss { minimax, non_saturating };

/// What a generator is trained with, from the scores q of its own samples, any shape. minimax:
/// mean f⁻(q) (dv: log-mean-exp over dimension 0, then the mean); non_saturating: −mean f⁺(q).
/// Scalar, signs as in the code. OptionError for an empty q.
at::Tensor fenchel_generator_loss(const at::Tensor& q, FenchelMeasure measure,
                                  GeneratorLoss kind = GeneratorLoss::non_saturating);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::FenchelMeasure> {
  static constexpr std::array kNames{"gan", "jsd", "x2", "kl", "rkl", "dv", "h2", "w1"};
};
template <>
struct EnumNames<mi::GeneratorLoss> {
  static constexpr std::array kNames{"minimax", "non-saturating"};
};
}  // namespace namid
