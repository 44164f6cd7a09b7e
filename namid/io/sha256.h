// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace namid::io {

/// SHA-256 (FIPS 180-4) of bytes that arrive in pieces.
class Sha256 {
 public:
  void update(const void* bytes, std::size_t count);
  /// The digest of everything so far, 64 lower-case hexadecimal digits; more may follow.
  std::string hex() const;

 private:
  void compress(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> pending_{};
  std::uint64_t count_ = 0;
};

/// SHA-256 of `count` bytes.
std::string sha256_hex(const void* bytes, std::size_t count);

/// SHA-256 of a file's content, read in pieces. DataError if it cannot be read.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace namid::io
