// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>
#include <utility>

#include "namid/engine/winograd_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace namid::engine::avx512 {
namespace {

#define NAMID_TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma,avx2")))
#define NAMID_LANES NAMID_TARGET __attribute__((always_inline)) inline

using Lanes = __m512;
constexpr int kPanelGroups = 2, kBlockRows = 14;  // 28 sums, 2 weights and 1 value in 32 registers

NAMID_LANES Lanes load(const float* p) {
  return _mm512_loadu_ps(p);
}
NAMID_LANES void store(float* p, Lanes v) {
  _mm512_storeu_ps(p, v);
}
NAMID_LANES Lanes broadcast(float value) {
  return _mm512_set1_ps(value);
}
NAMID_LANES Lanes add(Lanes a, Lanes b) {
  return _mm512_add_ps(a, b);
}
NAMID_LANES Lanes sub(Lanes a, Lanes b) {
  return _mm512_sub_ps(a, b);
}
NAMID_LANES Lanes mul(Lanes a, Lanes b) {
  return _mm512_mul_ps(a, b);
}
NAMID_LANES Lanes fma(Lanes a, Lanes b, Lanes c) {
  return _mm512_fmadd_ps(a, b, c);
}
NAMID_LANES Lanes relu(Lanes y) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_NLE_UQ), y);
}
NAMID_LANES Lanes keep(Lanes y, const std::uint8_t* bits) {
  std::uint16_t mask;
  std::memcpy(&mask, bits, sizeof mask);
  return _mm512_maskz_mov_ps(mask, y);
}
NAMID_LANES void store_positive(Lanes y, std::uint8_t* bits) {
  const std::uint16_t mask = _mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ);
  std::memcpy(bits, &mask, sizeof mask);
}

#include "namid/engine/winograd_kernels.inc"

}  // namespace

WinogradKernels kernels() {
  return all_kernels();
}

}  // namespace namid::engine::avx512
#endif
