// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace namid {

/// The word as a POSIX shell reads it back: quoted where it holds anything but letters, digits and
/// _@%+=:,./-
std::string shell_word(const std::string& word);

}  // namespace namid
