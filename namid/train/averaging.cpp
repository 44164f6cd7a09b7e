// SPDX-License-Identifier: Apache-2.0
#include "namid/train/averaging.h"

#include <set>

namespace namid::train {

WeightAverage::WeightAverage(double decay, const models::Classifier& model)
    : decay_(decay), average_(model.clone()) {
  average_.train(false);
}

void WeightAverage::update(const models::Classifier& model) {
  const at::NoGradGuard no_grad;
  std::set<const void*> parameters;
  for (const auto& parameter : average_.parameters()) parameters.insert(parameter.data_ptr());
  const auto average = average_.state_dict();
  const auto weights = model.state_dict();
  for (std::size_t i = 0; i < average.size(); ++i) {
    auto target = average[i].second.detach();
    const auto source = weights[i].second.detach();
    if (parameters.count(target.data_ptr()) != 0) {
      target.mul_(decay_).add_(source, 1 - decay_);
    } else {
      target.copy_(source);
    }
  }
}

}  // namespace namid::train
