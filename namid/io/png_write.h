// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace namid::io {

/// The bytes of an 8-bit PNG file. `pixels`: row-major, height x width x channels, channels 1
/// (grey) or 3 (RGB). Throws OptionError if the sizes do not fit.
std::string encode_png(std::span<const std::uint8_t> pixels, int width, int height, int channels);

}  // namespace namid::io
