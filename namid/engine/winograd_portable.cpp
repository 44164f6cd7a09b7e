// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include "namid/engine/winograd_kernels.h"

namespace namid::engine::portable {
namespace {

#define NAMID_TARGET
#undef NAMID_LANES
#define NAMID_LANES __attribute__((always_inline)) inline

/// What every machine that LibTorch runs on has: four floats a register.
using Quad [[gnu::vector_size(16)]] = float;
struct Lanes {
  Quad part[4];
};
constexpr int kPanelGroups = 1, kBlockRows = 2;  // 8 sums, 4 weights and 1 value in 16 registers

NAMID_LANES Lanes load(const float* p) {
  Lanes v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
NAMID_LANES void store(float* p, const Lanes& v) {
  __builtin_memcpy(p, &v, sizeof v);
}
NAMID_LANES Lanes broadcast(float value) {
  const Quad quad = {value, value, value, value};
  return {{quad, quad, quad, quad}};
}
NAMID_LANES Lanes add(const Lanes& a, const Lanes& b) {
  return {
      {a.part[0] + b.part[0], a.part[1] + b.part[1], a.part[2] + b.part[2], a.part[3] + b.part[3]}};
}
NAMID_LANES Lanes sub(const Lanes& a, const Lanes& b) {
  return {
      {a.part[0] - b.part[0], a.part[1] - b.part[1], a.part[2] - b.part[2], a.part[3] - b.part[3]}};
}
NAMID_LANES Lanes mul(const Lanes& a, const Lanes& b) {
  return {
      {a.part[0] * b.part[0], a.part[1] * b.part[1], a.part[2] * b.part[2], a.part[3] * b.part[3]}};
}
NAMID_LANES Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return add(mul(a, b), c);
}
NAMID_LANES Lanes relu(Lanes y) {
  for (auto& part : y.part)
    for (int i = 0; i < 4; ++i) part[i] = part[i] <= 0 ? 0 : part[i];
  return y;
}
NAMID_LANES Lanes keep(Lanes y, const std::uint8_t* bits) {
  for (int i = 0; i < kLanes; ++i)
    if (!((bits[i / 8] >> (i % 8)) & 1)) y.part[i / 4][i % 4] = 0;
  return y;
}
NAMID_LANES void store_positive(const Lanes& y, std::uint8_t* bits) {
  bits[0] = bits[1] = 0;
  for (int i = 0; i < kLanes; ++i)
    bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | (y.part[i / 4][i % 4] > 0) << (i % 8));
}

#include "namid/engine/winograd_kernels.inc"

}  // namespace

WinogradKernels kernels() {
  return all_kernels();
}

}  // namespace namid::engine::portable
