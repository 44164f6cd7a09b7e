// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace namid {

/// The project's version, "0.1.0".
std::string_view version();

/// The git commit it was built from, with "-dirty" if the tree had changes; "unknown" outside git.
std::string_view commit();

}  // namespace namid
