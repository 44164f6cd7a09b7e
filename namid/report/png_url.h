// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace namid::report {

/// RFC 4648, Sec. 4, with padding.
std::string base64(std::string_view bytes);

/// An 8-bit PNG (grey for 1 channel, RGB for 3) of rows × columns × channels values, as a data URL.
std::string png_url(std::span<const std::uint8_t> pixels, std::uint32_t rows, std::uint32_t columns,
                    std::uint32_t channels);

}  // namespace namid::report
