// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace namid {

/// Philox4x32-10, Salmon et al. 2011 ("Parallel random numbers: as easy as 1, 2, 3").
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// Where a draw belongs. The counter is made of these alone, so batch size, order, threads and
/// interruptions change no draw.
struct DrawPosition {
  std::uint64_t sample = 0;     ///< sample id: file index, or hash of the image
  std::uint32_t epoch = 0;      ///< epoch or restart, 24 bits used
  std::uint32_t iteration = 0;  ///< step inside the epoch or attack, 24 bits used
};

/// A named stream of counter-based random numbers: key = 64-bit hash of (seed, name).
/// Equal (seed, name, position, index) give equal numbers on every machine.
class Random {
 public:
  Random() : Random(0, "") {}
  Random(std::uint64_t seed, std::string_view name);

  std::uint64_t seed() const { return seed_; }
  /// The stream called `name` of the same seed: Random(seed(), name).
  Random stream(std::string_view name) const { return Random(seed_, name); }

  /// Fills `out` with uniforms k * 2^-24, k in {0, ..., 2^24 - 1}; at most 262,144 values.
  void uniform(const DrawPosition& at, float* out, std::size_t count) const;
  /// Fills `out` with standard normals (Box-Muller on pairs); at most 262,144 values.
  void normal(const DrawPosition& at, float* out, std::size_t count) const;
  /// Four raw words, for integer draws.
  std::array<std::uint32_t, 4> words(const DrawPosition& at, std::uint16_t block = 0) const;
  /// A permutation of 0..count-1 (sort by a 64-bit draw per element, ties by index).
  std::vector<std::int64_t> permutation(std::int64_t count, std::uint32_t epoch) const;

 private:
  std::uint64_t seed_;
  std::array<std::uint32_t, 2> key_;
};

/// 64-bit FNV-1a with a final mix: stable across machines, not cryptographic.
std::uint64_t hash64(const void* bytes, std::size_t count, std::uint64_t start = 0);

}  // namespace namid
