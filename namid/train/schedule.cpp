// SPDX-License-Identifier: Apache-2.0
#include "namid/train/schedule.h"

#include <algorithm>

namespace namid::train {

double learning_rate(double lr, double gamma, const std::vector<int>& milestones, int epoch) {
  const auto passed = std::count_if(milestones.begin(), milestones.end(),
                                    [&](int milestone) { return milestone <= epoch; });
  for (std::ptrdiff_t i = 0; i < passed; ++i) lr *= gamma;
  return lr;
}

}  // namespace namid::train
