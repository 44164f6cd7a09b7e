// SPDX-License-Identifier: Apache-2.0
#include "namid/core/statistics.h"

#include "namid/core/distributions.h"
#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid {

void check_confidence(const char* where, double confidence) {
  if (!(confidence > 0 && confidence < 1))
    throw OptionError(str(where, ": expected a confidence in (0, 1), got ", confidence));
}

Interval clopper_pearson(std::int64_t successes, std::int64_t n, double confidence) {
  if (successes < 0 || n < 0 || successes > n)
    throw OptionError(
        str("clopper_pearson: expected 0 ≤ successes ≤ n, got ", successes, " of ", n));
  check_confidence("clopper_pearson", confidence);
  if (n == 0) return {};
  const double tail = (1 - confidence) / 2;
  const auto k = static_cast<double>(successes), rest = static_cast<double>(n - successes);
  Interval out;
  if (successes > 0) out.low = beta_quantile(tail, k, rest + 1);
  // The upper end by symmetry, so that both ends are equally sharp.
  if (successes < n) out.high = 1 - beta_quantile(tail, rest, k + 1);
  return out;
}

RobustBounds robust_bounds(std::int64_t not_broken, std::int64_t n,
                           std::optional<std::int64_t> certified, double confidence) {
  const auto proven = certified.value_or(0);
  if (n < 1 || proven < 0 || proven > not_broken || not_broken > n)
    throw OptionError(str("robust_bounds: expected 0 ≤ certified ≤ not broken ≤ n and n ≥ 1, got ",
                          proven, " certified, ", not_broken, " not broken of ", n));
  RobustBounds out{.upper = clopper_pearson(not_broken, n, confidence).high};
  if (certified) out.lower = clopper_pearson(proven, n, confidence).low;
  return out;
}

}  // namespace namid
