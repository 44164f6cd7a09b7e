// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/network.h"

namespace namid::testing {

/// Parameters and floating buffers of a built-in network in float64, in place.
inline models::Classifier in_float64(const models::Classifier& model) {
  const auto network = model.network();
  for (auto& parameter : network->parameters())
    parameter.set_data(parameter.detach().to(at::kDouble));
  for (auto& buffer : network->buffers())
    if (buffer.is_floating_point()) buffer.set_data(buffer.to(at::kDouble));
  return model;
}

}  // namespace namid::testing
