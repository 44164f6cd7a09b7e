// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// OptionError "[cw] norm: expected l2, got linf" where an attack does not know the norm.
void check_norm(Norm norm, const std::vector<Norm>& known, std::string_view where);

/// OptionError unless the samples of x are images (C, H, W), for attacks that look at rows and
/// columns.
void check_images(const at::Tensor& x, std::string_view where);

/// OptionError for a model of fewer than 4 classes, which targeted DLR losses need.
void check_four_classes(std::int64_t classes, std::string_view where);

}  // namespace namid::attacks
