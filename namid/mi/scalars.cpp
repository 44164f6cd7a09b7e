// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/scalars.h"

namespace namid::mi {

Metrics read_scalars(const Scalars& scalars) {
  Metrics metrics;
  if (scalars.empty()) return metrics;
  std::vector<at::Tensor> values;
  for (const auto& [name, value] : scalars) values.push_back(value.detach().to(at::kDouble));
  const at::Tensor all = at::stack(values).cpu();
  const auto* numbers = all.const_data_ptr<double>();
  for (std::size_t i = 0; i < scalars.size(); ++i) metrics[scalars[i].first] = numbers[i];
  return metrics;
}

}  // namespace namid::mi
