// SPDX-License-Identifier: Apache-2.0
#include "namid/report/png_url.h"

#include <gtest/gtest.h>
#include <png.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace namid::report {
namespace {

std::string decoded_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text.substr(0, text.find('='))) {
    bits = bits << 6 | static_cast<std::uint32_t>(kDigits.find(c));
    held += 6;
    if (held >= 8) bytes += static_cast<char>(bits >> (held -= 8) & 255);
  }
  return bytes;
}

TEST(Base64, GivesTheAnswersOfTheStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFB"), "//77");
}

TEST(PngUrl, ReadsBackPixelForPixel) {
  for (const std::uint32_t channels : {1u, 3u}) {
    std::vector<std::uint8_t> pixels(5 * 7 * channels);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 37);
    const std::string url = png_url(pixels, 5, 7, channels);
    const std::string_view start = "data:image/png;base64,";
    ASSERT_TRUE(url.starts_with(start));
    const std::string file = decoded_base64(url.substr(start.size()));
    png_image image = {};
    image.version = PNG_IMAGE_VERSION;
    ASSERT_TRUE(png_image_begin_read_from_memory(&image, file.data(), file.size()));
    EXPECT_EQ(image.width, 7u);
    EXPECT_EQ(image.height, 5u);
    image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    std::vector<std::uint8_t> back(PNG_IMAGE_SIZE(image));
    ASSERT_TRUE(png_image_finish_read(&image, nullptr, back.data(), 0, nullptr)) << image.message;
    EXPECT_EQ(back, pixels);
  }
}

TEST(PngUrl, RefusesPixelsThatDoNotFit) {
  const std::array<std::uint8_t, 4> pixels = {};
  EXPECT_THROW(png_url(pixels, 2, 3, 1), std::logic_error);
  EXPECT_THROW(png_url(pixels, 1, 2, 2), std::logic_error);
  EXPECT_THROW(png_url({}, 0, 0, 1), std::logic_error);
}

}  // namespace
}  // namespace namid::report
