// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace namid::mi {

/// A row's log baseline, given as scalar, (N), (N, 1) or (N, K), in the scores' type and as
/// (N, 1) or (N, K) to subtract from (N, K). OptionError, naming the bound, for other shapes.
at::Tensor baseline_rows(const at::Tensor& scores, const at::Tensor& log_baseline,
                         std::string_view bound);

}  // namespace namid::mi
