// SPDX-License-Identifier: Apache-2.0
#include "namid/io/png_write.h"

#include <gtest/gtest.h>
#include <png.h>

#include <vector>

#include "namid/core/error.h"
#include "namid/io/base64.h"

namespace namid::io {
namespace {

std::vector<std::uint8_t> decode(const std::string& file, unsigned format) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_memory(&image, file.data(), file.size()));
  EXPECT_EQ(image.format, format);
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr));
  return pixels;
}

TEST(PngWrite, GreyAndColourReadBackExactly) {
  std::vector<std::uint8_t> pixels(5 * 4 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 37);
  EXPECT_EQ(decode(encode_png(pixels, 5, 4, 3), PNG_FORMAT_RGB), pixels);
  EXPECT_EQ(decode(encode_png(pixels, 12, 5, 1), PNG_FORMAT_GRAY), pixels);
  EXPECT_TRUE(encode_png(pixels, 5, 4, 3).starts_with("\x89PNG\r\n\x1a\n"));
}

TEST(PngWrite, RefusesSizesThatDoNotFit) {
  const std::vector<std::uint8_t> pixels(12);
  EXPECT_THROW(encode_png(pixels, 5, 4, 3), OptionError);
  EXPECT_THROW(encode_png(pixels, 3, 2, 2), OptionError);
  EXPECT_THROW(encode_png(pixels, 0, 4, 3), OptionError);
  EXPECT_THROW(encode_png(pixels, -2, -2, 3), OptionError);
  EXPECT_THROW(encode_png(pixels, 12, 1 << 20, 1), OptionError);
}

TEST(Base64, GivesThePublishedValues) {  // RFC 4648 section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfb"), "//77");
}

}  // namespace
}  // namespace namid::io
