// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace namid {

/// p-values adjusted for their number, in the order given (Holm 1979): the i-th smallest of m
/// becomes the largest of (m - j + 1) p_(j), j ≤ i, and at most 1. Rejecting where an adjusted
/// value is at most a keeps the probability of any wrong rejection within a, whatever the
/// dependence. OptionError for a value outside [0, 1].
std::vector<double> holm(const std::vector<double>& p);

}  // namespace namid
