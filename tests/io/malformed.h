// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files that nobody should be able to do harm with. Each is refused with a DataError that names it
// and says why, or read without running what it carries; in either case memory stays within the
// file's size, what its header promises up to the cap, and 16 MB.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/corruption.h"
#include "io/pickle_builder.h"
#include "namid/io/bytes.h"
#include "namid/io/gzip.h"
#include "namid/io/zip.h"

namespace namid::testing {

using io::Bytes;
using io::ByteSpan;

struct Case {
  std::string name;
  Bytes bytes;
  std::string reason;  ///< part of the message; empty: it is read, and what it carries is not run
};
using Cases = std::vector<Case>;

inline constexpr std::uint64_t kCap = std::uint64_t{64} << 20;
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
inline constexpr std::size_t kSlack = std::size_t{1}
                                      << 30;  // freed memory is kept back to catch its use
#else
inline constexpr std::size_t kSlack = std::size_t{16} << 20;
#endif

inline void expect_harmless(const Cases& cases,
                            const std::function<void(ByteSpan, std::string)>& parse,
                            std::size_t promised = 0) {
  for (const auto& file : cases) {
    const PeakMemory memory;
    std::string message;
    try {
      parse(file.bytes, file.name);
    } catch (const DataError& error) {
      message = error.what();
    }
    EXPECT_LT(memory.grown(), file.bytes.size() + promised + kSlack) << file.name;
    if (file.reason.empty()) {
      EXPECT_EQ(message, "") << file.name;
    } else {
      EXPECT_EQ(message.rfind(file.name, 0), 0u) << message;
      EXPECT_NE(message.find(file.reason), std::string::npos) << file.name << " gives: " << message;
    }
  }
  EXPECT_FALSE(std::filesystem::exists("malformed-test-was-run"));
}

/// The offset of the `nth` occurrence of `text`.
inline std::size_t find_nth(const Bytes& bytes, const std::string& text, int nth) {
  std::size_t at = 0;
  for (int i = 0; i <= nth; ++i) at = io::as_text(bytes).find(text, i == 0 ? 0 : at + 1);
  return at;
}

/// A copy with `size` bytes of `value`, little-endian, at `offset` behind the `nth` `mark`.
inline Bytes patched(Bytes bytes, const std::string& mark, int nth, std::size_t offset,
                     std::uint64_t value, int size) {
  const auto at = find_nth(bytes, mark, nth) + offset;
  for (int i = 0; i < size; ++i)
    bytes.at(at + static_cast<std::size_t>(i)) = std::byte(value >> 8 * i & 0xff);
  return bytes;
}

inline const std::string kLocal = "PK\x03\x04", kCentral = "PK\x01\x02", kEnd = "PK\x05\x06";

inline std::string repeated(const std::string& text, std::size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

/// A member of `size` zeros, deflated, that is said to hold `promised` bytes.
inline Bytes deflated(const std::string& name, std::size_t size, std::uint32_t promised) {
  const auto packed = io::gzip(Bytes(size));  // 10 bytes of header and 8 of trailer around deflate
  const Bytes stream(packed.begin() + 10, packed.end() - 8);
  auto bytes = io::encode_zip({{name, stream}});
  bytes = patched(bytes, kLocal, 0, 8, 8, 2);
  bytes = patched(bytes, kCentral, 0, 10, 8, 2);
  return patched(bytes, kCentral, 0, 24, promised, 4);
}

}  // namespace namid::testing
