// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/fenchel.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/scores.h"

namespace namid::mi {
namespace {

const double kLog2 = std::log(2.0);

at::Tensor positive(const at::Tensor& p, FenchelMeasure measure) {
  switch (measure) {
    case FenchelMeasure::gan:
      return -at::softplus(-p);
    case FenchelMeasure::jsd:
      return kLog2 - at::softplus(-p);
    case FenchelMeasure::x2:
      return p.square();
    case FenchelMeasure::rkl:
      return -p.neg().exp();
    case FenchelMeasure::h2:
      return 1 - p.neg().exp();
    case FenchelMeasure::kl:
    case FenchelMeasure::dv:
    case FenchelMeasure::w1:
      return p;
  }
  throw OptionError("[fenchel] unknown measure");
}

/// Not for dv, whose f⁻ is no function of one score.
at::Tensor negative(const at::Tensor& q, FenchelMeasure measure) {
  switch (measure) {
    case FenchelMeasure::gan:
      return at::softplus(-q) + q;
    case FenchelMeasure::jsd:
      return at::softplus(-q) + q - kLog2;
    case FenchelMeasure::x2:
      return -0.5 * (q.abs() + 1).square();
    case FenchelMeasure::kl:
      return (q - 1).exp();
    case FenchelMeasure::rkl:
      return q - 1;
    case FenchelMeasure::h2:
      return q.exp() - 1;
    case FenchelMeasure::w1:
      return q;
    case FenchelMeasure::dv:
      break;
  }
  throw OptionError("[fenchel] unknown measure");
}

double log_of(std::int64_t count) {
  return std::log(static_cast<double>(count));
}

}  // namespace

at::Tensor fenchel(const at::Tensor& scores, FenchelMeasure measure) {
  check_scores(scores, "fenchel");
  const at::Tensor own = positive(own_scores(scores), measure);
  if (measure != FenchelMeasure::dv)  // own pairs go first: exp of them overflows first
    return mean_of_others(negative(replace_own(scores, 0), measure)) - own;
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  const at::Tensor others = replace_own(scores, kMinusInfinity).logsumexp(0);
  return others - log_of(scores.size(0) - 1) - own;
}

at::Tensor fenchel_generator_loss(const at::Tensor& q, FenchelMeasure measure, GeneratorLoss kind) {
  if (q.numel() == 0) throw OptionError("[fenchel] q: expected at least one score, got none");
  if (kind == GeneratorLoss::non_saturating) return -positive(q, measure).mean();
  if (measure != FenchelMeasure::dv) return negative(q, measure).mean();
  const at::Tensor rows = q.dim() == 0 ? q.unsqueeze(0) : q;
  return (rows.logsumexp(0) - log_of(rows.size(0))).mean();
}

}  // namespace namid::mi
