// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace namid::io {

/// The text with what is no printable UTF-8 (control characters, stray bytes, surrogates) written
/// as \xNN: safe to print, to put into JSON and to use as a name.
std::string printable(std::string_view text);

}  // namespace namid::io
