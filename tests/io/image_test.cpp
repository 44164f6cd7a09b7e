// SPDX-License-Identifier: Apache-2.0
#include "namid/io/image.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "io/corruption.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/zip.h"

namespace namid::io {
namespace {

using testing::message_of;

Bytes fixture(const std::string& name) {
  return read_file(str(NAMID_SOURCE_DIR, "/tests/fixtures/", name));
}

Image decode(const std::string& name) {
  return decode_image(fixture(name), name);
}

/// The images of the fixtures: 7 wide, 5 high, 3 channels, byte k is 2k.
int fixture_pixel(int k) {
  return 2 * k % 256;
}

TEST(Image, DecodesPngExactly) {
  for (const auto& name : {"rgb.png", "rgba.png"}) {
    const auto image = decode(name);
    EXPECT_EQ(image.width, 7);
    EXPECT_EQ(image.height, 5);
    ASSERT_EQ(image.channels, 3);
    for (int k = 0; k < 105; ++k)
      ASSERT_EQ(std::to_integer<int>(image.pixels[static_cast<std::size_t>(k)]), fixture_pixel(k));
  }
}

TEST(Image, DecodesGreyAndPalettePngExactly) {
  for (const auto& name : {"grey.png", "grey16.png", "palette.png"}) {
    const auto image = decode(name);
    ASSERT_EQ(image.channels, std::string(name) == "palette.png" ? 3 : 1) << name;
    for (int k = 0; k < 35; ++k)
      ASSERT_EQ(std::to_integer<int>(image.pixels[static_cast<std::size_t>(k * image.channels)]),
                fixture_pixel(3 * k))
          << name;
  }
  EXPECT_EQ(decode("bits.png").pixels[0], std::byte{0});
  EXPECT_EQ(decode("bits.png").pixels[34], std::byte{255});
}

TEST(Image, DecodesJpegAsPillowDoes) {
  const auto image = decode("rgb.jpg");
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.width, 7);
  EXPECT_EQ(image.pixels, fixture("rgb.jpg.pixels"));
  const auto grey = decode("grey.jpg");
  ASSERT_EQ(grey.channels, 1);
  for (int k = 0; k < 35; ++k)
    EXPECT_NEAR(std::to_integer<int>(grey.pixels[static_cast<std::size_t>(k)]),
                fixture_pixel(3 * k), 12);
}

TEST(Image, RefusesOtherFormats) {
  EXPECT_EQ(message_of([] { decode("cmyk.jpg"); }),
            "cmyk.jpg: offset 0: expected a grey or RGB image, got CMYK");
  EXPECT_EQ(message_of([] { decode("cifar10_meta"); }),
            "cifar10_meta: offset 0: expected a JPEG or PNG image");
  EXPECT_THROW(decode_image({}, "empty"), DataError);
  EXPECT_NE(message_of([] {
              decode_image(fixture("rgb.png"), "f", 104);
            }).find("expected at most 104 bytes, got 105"),
            std::string::npos);
  EXPECT_THROW(decode_image(fixture("rgb.jpg"), "f", 104), DataError);
}

TEST(Image, TruncationAnywhereIsADataError) {
  for (const auto& name : {"rgb.png", "palette.png", "grey16.png"})
    testing::for_each_truncation(fixture(name), [](ByteSpan cut) { decode_image(cut, "f"); });
  auto jpeg = fixture("rgb.jpg");
  jpeg.resize(jpeg.size() - 2);  // without its end marker, which some writers forget
  testing::for_each_truncation(jpeg, [](ByteSpan cut) { decode_image(cut, "f"); });
}

TEST(Image, DamageNeverDoesMoreThanThrow) {
  for (const auto& name : {"rgb.png", "palette.png", "bits.png", "rgb.jpg", "grey.jpg"})
    testing::for_each_flip(fixture(name),
                           [](ByteSpan bytes) { decode_image(bytes, "f", 1 << 20); });
}

TEST(Image, AHugePngIsRefusedBeforeAllocating) {
  auto png = fixture("grey.png");
  const std::array<unsigned, 8> size{0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50};  // 50,000 x 50,000
  for (std::size_t i = 0; i < size.size(); ++i) png[16 + i] = std::byte(size[i]);
  const auto crc = crc32_of(ByteSpan(png).subspan(12, 17));
  for (std::size_t i = 0; i < 4; ++i) png[29 + i] = std::byte(crc >> (24 - 8 * i) & 0xff);
  const testing::PeakMemory memory;
  EXPECT_NE(message_of([&] { decode_image(png, "f"); }).find("cannot hold"), std::string::npos)
      << message_of([&] { decode_image(png, "f"); });
  EXPECT_LT(memory.grown(), std::size_t{16} << 20);
}

TEST(Image, WritesPlanes) {
  const auto planes_of = [](const Image& image, std::int64_t channels) {
    Bytes out(static_cast<std::size_t>(channels * image.width * image.height));
    write_planes(image, channels, out);
    return out;
  };
  const auto rgb = planes_of(decode("rgb.png"), 3);
  EXPECT_EQ(std::to_integer<int>(rgb[35 + 4]), fixture_pixel(3 * 4 + 1));
  const auto grey = planes_of(decode("grey.png"), 3);
  EXPECT_EQ(grey[4], grey[70 + 4]);
  EXPECT_EQ(std::to_integer<int>(grey[4]), fixture_pixel(12));
}

TEST(Image, KnowsItsFilesByName) {
  for (const auto& name : {"a.png", "b.JPEG", "c.Jpg"}) EXPECT_TRUE(is_image_name(name)) << name;
  for (const auto& name : {"a.txt", "png", "b.jpg.bak"}) EXPECT_FALSE(is_image_name(name)) << name;
}

TEST(ReadFile, RefusesWhatIsNoFile) {
  EXPECT_THROW(read_file("/no/such/file"), DataError);
  EXPECT_THROW(read_file("/"), DataError);
  EXPECT_NE(message_of([] {
              read_file(NAMID_SOURCE_DIR "/tests/fixtures/rgb.png", 10);
            }).find("expected at most 10 bytes"),
            std::string::npos);
}

}  // namespace
}  // namespace namid::io
