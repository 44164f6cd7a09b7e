// SPDX-License-Identifier: Apache-2.0
// libpng reports errors by longjmp, so nothing with a destructor lives in the functions that call
// it: everything that must be released stands in PngReader, outside the jump.
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <new>

#include "namid/core/format.h"
#include "namid/io/image.h"

namespace namid::io {
namespace {

constexpr std::size_t kSignatureBytes = 8;
constexpr png_uint_32 kMostPixelsASide = 1 << 20;
constexpr png_alloc_size_t kLargestChunk = 8 << 20;
constexpr std::uint64_t kBestRatio = 1032 * 24;  // of deflate, times one bit to three bytes

class PngReader {
 public:
  PngReader(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes)
      : bytes_(bytes), name_(name), max_bytes_(max_bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png_) info_ = png_create_info_struct(png_);
    if (!info_) throw std::bad_alloc();
    png_set_read_fn(png_, this, read_bytes);
    png_set_user_limits(png_, kMostPixelsASide, kMostPixelsASide);
    png_set_chunk_malloc_max(png_, kLargestChunk);
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  Image decode() {
    if (!read_header()) fail();
    Image image;
    image.width = png_get_image_width(png_, info_);
    image.height = png_get_image_height(png_, info_);
    image.channels = png_get_channels(png_, info_);
    const auto row = static_cast<std::uint64_t>(image.width * image.channels);
    const auto size =
        checked_product(name_, offset_, row, static_cast<std::uint64_t>(image.height));
    check_size(name_, offset_, size, max_bytes_);
    if (size / kBestRatio > bytes_.size())
      fail_at(name_, offset_,
              str("expected ", size, " bytes of pixels, which a file of ", bytes_.size(),
                  " bytes cannot hold"));
    image.pixels.resize(size);
    rows_.resize(static_cast<std::size_t>(image.height));
    for (std::size_t y = 0; y < rows_.size(); ++y)
      rows_[y] = reinterpret_cast<png_bytep>(image.pixels.data() + y * row);
    if (!read_pixels()) fail();
    return image;
  }

 private:
  bool read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_info(png_, info_);
    png_set_expand(png_);
    png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool read_pixels() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_image(png_, rows_.data());
    png_read_end(png_, nullptr);
    return true;
  }

  [[noreturn]] void fail() const { fail_at(name_, offset_, str("corrupt PNG: ", message_.data())); }

  static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self->message_.data(), message, self->message_.size() - 1);
    png_longjmp(png, 1);
  }

  static void on_warning(png_structp, png_const_charp) {}

  static void read_bytes(png_structp png, png_bytep out, png_size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->bytes_.size() - self->offset_) png_error(png, "the file ends too early");
    std::memcpy(out, self->bytes_.data() + self->offset_, count);
    self->offset_ += count;
  }

  ByteSpan bytes_;
  const std::string& name_;
  std::uint64_t max_bytes_;
  std::uint64_t offset_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<png_bytep> rows_;
  std::array<char, 128> message_{};
};

}  // namespace

namespace detail {

bool is_png(ByteSpan bytes) {
  return bytes.size() >= kSignatureBytes &&
         png_sig_cmp(reinterpret_cast<png_const_bytep>(bytes.data()), 0, kSignatureBytes) == 0;
}

Image decode_png(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  return PngReader(bytes, name, max_bytes).decode();
}

}  // namespace detail

}  // namespace namid::io
