// SPDX-License-Identifier: Apache-2.0
#include "namid/io/png_write.h"

#include <png.h>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

constexpr int kMaxSide = 16384;

void check(std::size_t count, int width, int height, int channels) {
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide)
    throw OptionError(
        str("png: expected sides of 1 to ", kMaxSide, ", got ", width, " x ", height));
  if (channels != 1 && channels != 3)
    throw OptionError(str("png: expected 1 or 3 channels, got ", channels));
  const auto expected = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                        static_cast<std::size_t>(channels);
  if (count != expected) throw OptionError(str("png: expected ", expected, " bytes, got ", count));
}

}  // namespace

std::string encode_png(std::span<const std::uint8_t> pixels, int width, int height, int channels) {
  check(pixels.size(), width, height, channels);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string out(size, '\0');
  if (png_image_write_to_memory(&image, out.data(), &size, 0, pixels.data(), 0, nullptr) == 0)
    throw ResourceError(str("png: ", image.message));
  out.resize(size);
  return out;
}

}  // namespace namid::io
