// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "namid/io/bytes.h"

namespace namid::io {

/// An 8-bit image.
struct Image {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t channels = 0;  ///< 1: grey, 3: red, green, blue
  Bytes pixels;               ///< (height, width, channels)
};

/// Whether a file of this name is looked at: .jpg, .jpeg, .png in any case.
bool is_image_name(const std::filesystem::path& path);

/// Decodes a JPEG or PNG file, told apart by its first bytes. Grey files give 1 channel, all others
/// 3; palettes are looked up, an alpha channel is dropped, 16 bits are rounded to 8. No colour
/// management, as in Pillow's convert("RGB"). DataError for other formats, CMYK, damaged or cut-off
/// files, and images of more than `max_bytes`.
Image decode_image(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes = kMaxBytes);

/// The image's bytes plane by plane, (channels, height, width); a grey image fills all `channels`.
/// `out` holds channels * height * width bytes. channels: 3, or that of the image.
void write_planes(const Image& image, std::int64_t channels, std::span<std::byte> out);

namespace detail {
bool is_png(ByteSpan bytes);
Image decode_png(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes);
}  // namespace detail

}  // namespace namid::io
