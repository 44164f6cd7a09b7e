// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cstdint>
#include <vector>

#include "namid/engine/cpu_features.h"
#include "namid/engine/elementwise.h"

// What the tests of the convolutions share.

namespace namid::engine {

/// The largest deviation, as a part of the largest entry.
inline double error_of(const at::Tensor& y, const at::Tensor& exact) {
  return ((y.to(at::kDouble) - exact).abs().max() / exact.abs().max()).item<double>();
}

/// Bits, flat NHWC, lowest bit of a byte first, padded to blocks of 16.
inline std::vector<std::uint8_t> bits_of(const at::Tensor& flags) {
  const auto flat = flags.contiguous().flatten();
  const auto* values = flat.const_data_ptr<bool>();
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(bit_bytes(flat.numel())));
  for (std::int64_t i = 0; i < flat.numel(); ++i)
    if (values[i])
      bits[static_cast<std::size_t>(i / 8)] |= static_cast<std::uint8_t>(1u << (i % 8));
  return bits;
}

/// Those that this machine executes.
inline std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> sets{InstructionSet::portable};
  for (const auto set : {InstructionSet::avx2, InstructionSet::avx512})
    if (set <= best_instruction_set()) sets.push_back(set);
  return sets;
}

}  // namespace namid::engine
