// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>
#include <utility>

#include "namid/engine/winograd_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace namid::engine::avx2 {
namespace {

#define NAMID_TARGET __attribute__((target("avx2,fma")))
#define NAMID_LANES NAMID_TARGET __attribute__((always_inline)) inline

struct Lanes {
  __m256 low, high;
};
constexpr int kPanelGroups = 1, kBlockRows = 6;  // 12 sums, 2 weights and 1 value in 16 registers

NAMID_LANES Lanes load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
NAMID_LANES void store(float* p, Lanes v) {
  _mm256_storeu_ps(p, v.low);
  _mm256_storeu_ps(p + 8, v.high);
}
NAMID_LANES Lanes broadcast(float value) {
  return {_mm256_set1_ps(value), _mm256_set1_ps(value)};
}
NAMID_LANES Lanes add(Lanes a, Lanes b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
NAMID_LANES Lanes sub(Lanes a, Lanes b) {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
NAMID_LANES Lanes mul(Lanes a, Lanes b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
NAMID_LANES Lanes fma(Lanes a, Lanes b, Lanes c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
NAMID_LANES __m256 relu(__m256 y) {
  return _mm256_and_ps(y, _mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_NLE_UQ));
}
NAMID_LANES Lanes relu(Lanes y) {
  return {relu(y.low), relu(y.high)};
}
NAMID_LANES __m256 keep(__m256 y, int bits) {
  const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi32(bits), lane);
  return _mm256_and_ps(y, _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lane)));
}
NAMID_LANES Lanes keep(Lanes y, const std::uint8_t* bits) {
  return {keep(y.low, bits[0]), keep(y.high, bits[1])};
}
NAMID_LANES std::uint8_t positive(__m256 y) {
  return static_cast<std::uint8_t>(
      _mm256_movemask_ps(_mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GT_OQ)));
}
NAMID_LANES void store_positive(Lanes y, std::uint8_t* bits) {
  bits[0] = positive(y.low);
  bits[1] = positive(y.high);
}

#include "namid/engine/winograd_kernels.inc"

}  // namespace

WinogradKernels kernels() {
  return all_kernels();
}

}  // namespace namid::engine::avx2
#endif
