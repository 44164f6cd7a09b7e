// SPDX-License-Identifier: Apache-2.0
#include "namid/core/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid {
namespace {

constexpr std::uint32_t kMask24 = (1u << 24) - 1;
constexpr std::size_t kMaxDraws = std::size_t{4} << 16;  // 16-bit block number, 4 words a block

std::uint64_t mix(std::uint64_t z) {  // finaliser of SplitMix64
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::array<std::uint32_t, 4> counter_of(const DrawPosition& at, std::uint16_t block) {
  const std::uint64_t high = (std::uint64_t{at.epoch & kMask24} << 40) |
                             (std::uint64_t{at.iteration & kMask24} << 16) | block;
  return {static_cast<std::uint32_t>(at.sample), static_cast<std::uint32_t>(at.sample >> 32),
          static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)};
}

float unit(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

void check_count(std::size_t count) {
  if (count > kMaxDraws)
    throw OptionError(str("[random] at most ", kMaxDraws, " draws per sample, got ", count));
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c,
                                    std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * c[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(a)};
    k = {k[0] + 0x9E3779B9u, k[1] + 0xBB67AE85u};
  }
  return c;
}

std::uint64_t hash64(const void* bytes, std::size_t count, std::uint64_t start) {
  const auto* p = static_cast<const unsigned char*>(bytes);
  std::uint64_t h = 0xcbf29ce484222325u ^ mix(start);
  for (std::size_t i = 0; i < count; ++i) h = (h ^ p[i]) * 0x100000001b3u;
  return mix(h);
}

Random::Random(std::uint64_t seed, std::string_view name) : seed_(seed) {
  const auto key = hash64(name.data(), name.size(), seed + 1);
  key_ = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
}

std::array<std::uint32_t, 4> Random::words(const DrawPosition& at, std::uint16_t block) const {
  return philox(counter_of(at, block), key_);
}

void Random::uniform(const DrawPosition& at, float* out, std::size_t count) const {
  check_count(count);
  for (std::size_t i = 0; i < count; i += 4) {
    const auto four = words(at, static_cast<std::uint16_t>(i / 4));
    for (std::size_t j = 0; j < std::min<std::size_t>(4, count - i); ++j)
      out[i + j] = unit(four[j]);
  }
}

void Random::normal(const DrawPosition& at, float* out, std::size_t count) const {
  check_count(count);
  for (std::size_t i = 0; i < count; i += 4) {
    const auto four = words(at, static_cast<std::uint16_t>(i / 4));
    std::array<float, 4> normals;
    for (std::size_t pair = 0; pair < 4; pair += 2) {
      const double radius =
          std::sqrt(-2 * std::log1p(-double{unit(four[pair])}));  // log(1-u), u < 1
      const double angle = 2 * std::numbers::pi * unit(four[pair + 1]);
      normals[pair] = static_cast<float>(radius * std::cos(angle));
      normals[pair + 1] = static_cast<float>(radius * std::sin(angle));
    }
    std::copy_n(normals.begin(), std::min<std::size_t>(4, count - i), out + i);
  }
}

std::vector<std::int64_t> Random::permutation(std::int64_t count, std::uint32_t epoch) const {
  std::vector<std::uint64_t> keys(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto four = words({.sample = i, .epoch = epoch});
    keys[i] = (std::uint64_t{four[1]} << 32) | four[0];
  }
  std::vector<std::int64_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return keys[static_cast<std::size_t>(a)] < keys[static_cast<std::size_t>(b)];
  });
  return order;
}

}  // namespace namid
