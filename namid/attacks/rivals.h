// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace namid::attacks {

/// Classes besides y by logits (N, C) from the most to the least likely, so that none is y even
/// where x is misclassified: int64 (N, M), ties: the lower class first. At most `most` of them, 0:
/// all.
at::Tensor rival_classes(const at::Tensor& logits, const at::Tensor& y, std::int64_t most = 0);

}  // namespace namid::attacks
