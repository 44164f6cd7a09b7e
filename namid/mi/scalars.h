// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "namid/run/metrics.h"

namespace namid::mi {

/// Zero-dimensional tensors by name, to be read together: one transfer from a device.
using Scalars = std::vector<std::pair<std::string, at::Tensor>>;
Metrics read_scalars(const Scalars& scalars);

}  // namespace namid::mi
