// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/elementwise.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "namid/core/tensor_parallel.h"
#include "namid/engine/cpu_features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace namid::engine {
namespace {

constexpr std::int64_t kBlocksPerTask = 1024;

struct Pass {
  const float* x;
  float* y;
  const PerChannel& scale;
  const PerChannel& shift;
  const Epilogue& epilogue;
};

/// Block `block`, or its first `count` elements, with 16 numbers of scale and shift each, if any.
void scalar_block(const Pass& pass, std::int64_t block, const float* scale, const float* shift,
                  std::int64_t count = 16) {
  const auto& e = pass.epilogue;
  std::uint16_t mask = 0xffff, bits = 0;
  if (e.mask_bits) std::memcpy(&mask, e.mask_bits + 2 * block, 2);
  for (std::int64_t i = 0; i < count; ++i) {
    float v = pass.x[16 * block + i];
    if (scale) v *= scale[i];
    if (shift) v += shift[i];
    if (e.residual) v += e.residual[16 * block + i];
    if (!(mask >> i & 1)) v = 0;
    if (v > 0) bits = static_cast<std::uint16_t>(bits | 1 << i);
    pass.y[16 * block + i] = e.relu && v < 0 ? 0 : v;
  }
  if (e.relu && e.relu_bits) std::memcpy(e.relu_bits + 2 * block, &bits, 2);
}

void scalar_blocks(const Pass& pass, std::int64_t begin, std::int64_t end) {
  PerChannel::Walk scale(pass.scale, begin), shift(pass.shift, begin);
  for (auto block = begin; block < end; ++block)
    scalar_block(pass, block, scale.next(), shift.next());
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq"))) void avx512_blocks(const Pass& pass,
                                                                                 std::int64_t begin,
                                                                                 std::int64_t end) {
  const auto& e = pass.epilogue;
  const auto zero = _mm512_setzero_ps();
  PerChannel::Walk scales(pass.scale, begin), shifts(pass.shift, begin);
  for (auto block = begin; block < end; ++block) {
    auto v = _mm512_loadu_ps(pass.x + 16 * block);
    // Two roundings, as the baseline's code has them.
    if (const auto* scale = scales.next()) v = _mm512_mul_ps(v, _mm512_loadu_ps(scale));
    if (const auto* shift = shifts.next()) v = _mm512_add_ps(v, _mm512_loadu_ps(shift));
    if (e.residual) v = _mm512_add_ps(v, _mm512_loadu_ps(e.residual + 16 * block));
    if (e.mask_bits) {
      __mmask16 mask;
      std::memcpy(&mask, e.mask_bits + 2 * block, 2);
      v = _mm512_maskz_mov_ps(mask, v);
    }
    if (e.relu) {
      const __mmask16 positive = _mm512_cmp_ps_mask(v, zero, _CMP_GT_OQ);
      if (e.relu_bits) std::memcpy(e.relu_bits + 2 * block, &positive, 2);
      v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, zero, _CMP_NLE_UQ), v);  // NaN stays
    }
    _mm512_storeu_ps(pass.y + 16 * block, v);
  }
}
#endif

}  // namespace

PerChannel::PerChannel(const at::Tensor& values) {
  if (!values.defined()) return;
  const auto channels = values.numel();
  blocks_ = channels / std::gcd(channels, std::int64_t{16});
  values_ = values.reshape(-1).to(at::kCPU, at::kFloat).repeat({16 * blocks_ / channels});
  data_ = values_.const_data_ptr<float>();
}

void pointwise(const float* x, float* y, std::int64_t count, const PerChannel& scale,
               const PerChannel& shift, const Epilogue& epilogue) {
  const Pass pass{x, y, scale, shift, epilogue};
  const auto blocks = count / 16;
  auto* run = &scalar_blocks;
#if defined(__x86_64__)
  if (best_instruction_set() == InstructionSet::avx512) run = &avx512_blocks;
#endif
  parallel_for(0, blocks, kBlocksPerTask,
               [&](std::int64_t begin, std::int64_t end) { run(pass, begin, end); });
  if (count % 16)
    scalar_block(pass, blocks, PerChannel::Walk(scale, blocks).next(),
                 PerChannel::Walk(shift, blocks).next(), count % 16);
}

}  // namespace namid::engine
