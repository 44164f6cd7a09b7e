// SPDX-License-Identifier: Apache-2.0
#include "namid/io/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <new>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

constexpr int kGzipWindow = 15 + 16;
constexpr int kRawWindow = -15;
constexpr std::uint64_t kBestRatio = 1032;            // deflate cannot do better
constexpr std::size_t kPiece = std::size_t{1} << 30;  // zlib counts in 32 bits

/// Inflates piece by piece into the caller's memory, over several gzip members.
class Inflater {
 public:
  Inflater(ByteSpan bytes, const std::string& name, int window)
      : bytes_(bytes), name_(name), window_(window) {
    if (inflateInit2(&stream_, window) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  /// Fills `out` as far as the stream goes; the number of bytes written.
  std::size_t read(std::span<std::byte> out) {
    std::size_t written = 0;
    while (written < out.size() && !ended_) written += step(out.subspan(written));
    return written;
  }

  /// Checks that the stream ends here, without more output.
  void finish(std::uint64_t size) {
    std::byte extra{};
    if (!ended_ && read({&extra, 1}) != 0)
      fail_at(name_, used_, str("expected ", size, " inflated bytes, got more"));
  }

  std::uint64_t used() const { return used_; }

 private:
  std::size_t step(std::span<std::byte> out) {
    const auto in = bytes_.subspan(used_, std::min(kPiece, bytes_.size() - used_));
    const auto room = std::min(kPiece, out.size());
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    used_ += in.size() - stream_.avail_in;
    const auto written = room - stream_.avail_out;
    if (result == Z_STREAM_END) {
      end_member();
    } else if (result == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (result == Z_BUF_ERROR || (result == Z_OK && in.empty() && written == 0)) {
      fail_at(name_, used_, "expected more compressed data, the file ends here");
    } else if (result != Z_OK) {
      fail_at(name_, used_,
              str("corrupt compressed data: ", stream_.msg ? stream_.msg : "zlib refuses it"));
    }
    return written;
  }

  void end_member() {
    const auto rest = bytes_.subspan(used_);
    if (window_ == kGzipWindow && is_gzip(rest)) {
      inflateReset(&stream_);
      return;
    }
    const bool padding =
        std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; });
    if (!padding) fail_at(name_, used_, "expected the end of the compressed data, got more bytes");
    ended_ = true;
  }

  ByteSpan bytes_;
  const std::string& name_;
  int window_;
  std::uint64_t used_ = 0;
  bool ended_ = false;
  z_stream stream_{};
};

Bytes inflate_exactly(ByteSpan bytes, const std::string& name, std::uint64_t size, int window) {
  if (size / kBestRatio > bytes.size())
    fail_at(name, 0,
            str("expected ", size, " inflated bytes, which ", bytes.size(),
                " compressed bytes cannot hold"));
  Inflater inflater(bytes, name, window);
  Bytes out(size);
  const auto got = inflater.read(out);
  if (got != size)
    fail_at(name, inflater.used(), str("expected ", size, " inflated bytes, got ", got));
  inflater.finish(size);
  return out;
}

}  // namespace

bool is_gzip(ByteSpan bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

Bytes gunzip_head(ByteSpan bytes, const std::string& name, std::size_t count) {
  Inflater inflater(bytes, name, kGzipWindow);
  Bytes out(count);
  out.resize(inflater.read(out));
  return out;
}

Bytes gunzip(ByteSpan bytes, const std::string& name, std::uint64_t size) {
  return inflate_exactly(bytes, name, size, kGzipWindow);
}

Bytes inflate_raw(ByteSpan bytes, const std::string& name, std::uint64_t size) {
  return inflate_exactly(bytes, name, size, kRawWindow);
}

Bytes gzip(ByteSpan bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  Bytes out(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) throw ResourceError("gzip: more than 4 GiB in one piece");
  return out;
}

}  // namespace namid::io
