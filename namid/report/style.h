// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace namid::report {

/// The page's style sheet: system fonts, light and dark by the reader's preference, paper.
std::string_view style_sheet();

}  // namespace namid::report
