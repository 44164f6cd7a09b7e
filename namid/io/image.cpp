// SPDX-License-Identifier: Apache-2.0
#include "namid/io/image.h"

#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <new>

#include "namid/core/format.h"

namespace namid::io {
namespace {

struct CloseJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Jpeg = std::unique_ptr<void, CloseJpeg>;

bool is_jpeg(ByteSpan bytes) {
  return bytes.size() >= 3 && bytes[0] == std::byte{0xff} && bytes[1] == std::byte{0xd8} &&
         bytes[2] == std::byte{0xff};
}

/// Garbage between two markers loses nothing, and files of ImageNet have it; other warnings mean
/// that pixels are made up.
bool is_harmless(tjhandle jpeg) {
  return tjGetErrorCode(jpeg) == TJERR_WARNING &&
         std::string_view(tjGetErrorStr2(jpeg)).find("extraneous") != std::string_view::npos;
}

Image decode_jpeg(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  const Jpeg jpeg(tjInitDecompress());
  if (!jpeg) throw std::bad_alloc();
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(jpeg.get(), from, bytes.size(), &width, &height, &subsampling,
                          &colours) != 0 &&
      !is_harmless(jpeg.get()))
    fail_at(name, 0, str("corrupt JPEG header: ", tjGetErrorStr2(jpeg.get())));
  if (colours == TJCS_CMYK || colours == TJCS_YCCK)
    fail_at(name, 0, "expected a grey or RGB image, got CMYK");
  const int channels = colours == TJCS_GRAY ? 1 : 3;
  const auto size = checked_product(
      name, 0, static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(channels),
      static_cast<std::uint64_t>(height));
  check_size(name, 0, size, max_bytes);
  Image image{width, height, channels, Bytes(size)};
  const int format = channels == 1 ? TJPF_GRAY : TJPF_RGB;
  if (tjDecompress2(jpeg.get(), from, bytes.size(),
                    reinterpret_cast<unsigned char*>(image.pixels.data()), width, 0, height, format,
                    TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) != 0 &&
      !is_harmless(jpeg.get()))
    fail_at(name, 0, str("corrupt JPEG data: ", tjGetErrorStr2(jpeg.get())));
  return image;
}

}  // namespace

bool is_image_name(const std::filesystem::path& path) {
  auto end = path.extension().string();
  std::transform(end.begin(), end.end(), end.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return end == ".jpg" || end == ".jpeg" || end == ".png";
}

Image decode_image(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  if (is_jpeg(bytes)) return decode_jpeg(bytes, name, max_bytes);
  if (detail::is_png(bytes)) return detail::decode_png(bytes, name, max_bytes);
  fail_at(name, 0, "expected a JPEG or PNG image");
}

void write_planes(const Image& image, std::int64_t channels, std::span<std::byte> out) {
  const auto plane = static_cast<std::size_t>(image.width * image.height);
  const auto step = static_cast<std::size_t>(image.channels);
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const auto* from = image.pixels.data() + std::min(c, step - 1);
    for (std::size_t i = 0; i < plane; ++i) out[c * plane + i] = from[i * step];
  }
}

}  // namespace namid::io
