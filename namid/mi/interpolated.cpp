// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/interpolated.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/baseline.h"
#include "namid/mi/scores.h"
#include "namid/mi/tuba.h"

namespace namid::mi {
namespace {

/// log m_l[i,k] for every l: (N, N, K), the entry [i,l,k]. Sums from both ends meet around l: a
/// difference of logarithms would lose all digits where one score outweighs the rest.
at::Tensor log_means_without_one(const at::Tensor& scores) {
  const auto n = scores.size(0);
  const at::Tensor nothing =
      at::full({n, 1, scores.size(2)}, -std::numeric_limits<double>::infinity(), scores.options());
  const at::Tensor before = at::cat({nothing, scores.narrow(1, 0, n - 1).logcumsumexp(1)}, 1);
  const at::Tensor after =
      at::cat({scores.narrow(1, 1, n - 1).flip(1).logcumsumexp(1).flip(1), nothing}, 1);
  return at::logaddexp(before, after) - std::log(static_cast<double>(n - 1));
}

}  // namespace

at::Tensor interpolated(const at::Tensor& scores, const at::Tensor& log_baseline, double alpha) {
  check_scores(scores, "interpolated");
  if (!(alpha >= 0 && alpha <= 1))
    throw OptionError(str("[interpolated] alpha: expected a number in [0, 1], got ", alpha));
  if (alpha == 0) return tuba(scores, log_baseline);
  const at::Tensor b = baseline_rows(scores, log_baseline, "interpolated").unsqueeze(1);
  const at::Tensor means = log_means_without_one(scores) + std::log(alpha);
  const at::Tensor mixed = alpha < 1 ? at::logaddexp(means, b + std::log1p(-alpha)) : means;
  const at::Tensor own = own_scores(mixed).unsqueeze(1);
  const at::Tensor marginal = exp_mean_of_others(scores - own);
  return marginal - 1 - (own_scores(scores) - mean_of_others(mixed));
}

}  // namespace namid::mi
