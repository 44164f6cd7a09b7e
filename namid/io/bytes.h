// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace namid::io {

using Bytes = std::vector<std::byte>;
using ByteSpan = std::span<const std::byte>;

/// Cap on what one file, or one header, may make a parser allocate.
inline constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 30;

/// A whole file. DataError if it is missing, no regular file, unreadable or larger than
/// `max_bytes`.
Bytes read_file(const std::filesystem::path& path, std::uint64_t max_bytes = kMaxBytes);

/// The bytes as text, and the text as bytes.
std::string_view as_text(ByteSpan bytes);
ByteSpan as_bytes(std::string_view text);

/// Throws DataError "name: offset 16: message".
[[noreturn]] void fail_at(std::string_view name, std::uint64_t offset, std::string_view message);

/// DataError unless `bytes` (what the header at `offset` of `name` promises) is within `max_bytes`.
void check_size(std::string_view name, std::uint64_t offset, std::uint64_t bytes,
                std::uint64_t max_bytes);

/// a * b, or DataError at `offset` of `name` if it does not fit.
std::uint64_t checked_product(std::string_view name, std::uint64_t offset, std::uint64_t a,
                              std::uint64_t b);

/// Reads forward through bytes; every read is bounds-checked and a short one is a DataError that
/// names the file, the offset and what was expected there.
class Cursor {
 public:
  Cursor(ByteSpan bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return bytes_.size() - offset_; }
  ByteSpan rest() const { return bytes_.subspan(offset_); }
  void seek(std::uint64_t offset, std::string_view what);
  /// The next `count` bytes, which are called `what` in messages.
  ByteSpan take(std::uint64_t count, std::string_view what);
  template <std::unsigned_integral T>
  T little(std::string_view what);
  template <std::unsigned_integral T>
  T big(std::string_view what);
  /// Throws DataError "name: offset N: message".
  [[noreturn]] void fail(std::string_view message) const { fail_at(name_, offset_, message); }

 private:
  ByteSpan bytes_;
  std::string name_;
  std::uint64_t offset_ = 0;
};

template <std::unsigned_integral T>
T Cursor::little(std::string_view what) {
  const auto from = take(sizeof(T), what);
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;)
    value = static_cast<T>((std::uint64_t{value} << 8) | std::to_integer<std::uint64_t>(from[i]));
  return value;
}

template <std::unsigned_integral T>
T Cursor::big(std::string_view what) {
  T value = 0;
  for (const auto byte : take(sizeof(T), what))
    value = static_cast<T>((std::uint64_t{value} << 8) | std::to_integer<std::uint64_t>(byte));
  return value;
}

}  // namespace namid::io
