// SPDX-License-Identifier: Apache-2.0
#include "namid/report/png_url.h"

#include <zlib.h>

#include <new>
#include <stdexcept>

namespace namid::report {
namespace {

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

const Bytef* data_of(std::string_view bytes) {
  return reinterpret_cast<const Bytef*>(bytes.data());
}

std::string chunk(std::string_view type, std::string_view content) {
  const std::string body = std::string(type) + std::string(content);
  const auto sum = crc32(0, data_of(body), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(content.size())) + body +
         big_endian(static_cast<std::uint32_t>(sum));
}

std::string deflated(std::string_view bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(out.data()), &size, data_of(bytes),
                             static_cast<uLong>(bytes.size()), Z_BEST_COMPRESSION);
  if (code != Z_OK) throw std::bad_alloc();
  out.resize(size);
  return out;
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t held = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < held ? static_cast<std::uint8_t>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= held ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

std::string png_url(std::span<const std::uint8_t> pixels, std::uint32_t rows, std::uint32_t columns,
                    std::uint32_t channels) {
  const std::size_t width = std::size_t{columns} * channels;
  if ((channels != 1 && channels != 3) || pixels.size() != width * rows || pixels.empty()) {
    throw std::logic_error("png: pixels do not fit rows, columns and 1 or 3 channels");
  }
  std::string lines;
  for (std::size_t row = 0; row < rows; ++row) {
    lines += '\0';  // filter: none
    lines.append(reinterpret_cast<const char*>(pixels.data()) + row * width, width);
  }
  const char colour_type = channels == 1 ? 0 : 2;
  const std::string header =
      big_endian(columns) + big_endian(rows) + std::string{8, colour_type, 0, 0, 0};
  const std::string file = std::string("\x89PNG\r\n\x1a\n") + chunk("IHDR", header) +
                           chunk("IDAT", deflated(lines)) + chunk("IEND", "");
  return "data:image/png;base64," + base64(file);
}

}  // namespace namid::report
