// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace namid::io {

/// Base64 with padding, RFC 4648 section 4 (the form of data: addresses).
std::string base64(std::string_view bytes);

}  // namespace namid::io
