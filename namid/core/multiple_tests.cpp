// SPDX-License-Identifier: Apache-2.0
#include "namid/core/multiple_tests.h"

#include <algorithm>
#include <numeric>

#include "namid/core/options.h"

namespace namid {

std::vector<double> holm(const std::vector<double>& p) {
  for (const double value : p)
    if (!(value >= 0 && value <= 1))
      throw OptionError(str("holm: expected p-values in [0, 1], got ", value));
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, static_cast<double>(order.size() - i) * p[order[i]]);
    adjusted[order[i]] = std::min(1.0, largest);
  }
  return adjusted;
}

}  // namespace namid
