// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/cpu_features.h"

#include <unistd.h>

namespace namid::engine {

InstructionSet best_instruction_set() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    return InstructionSet::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return InstructionSet::avx2;
#endif
  return InstructionSet::portable;
}

std::string_view shortcoming(InstructionSet instructions) {
  if (instructions != InstructionSet::portable) return {};
  return "this machine has neither AVX-512 nor AVX2 with FMA: convolutions are LibTorch's direct "
         "ones, attacks and training take longer";
}

std::int64_t second_level_cache() {
  constexpr std::int64_t kUsual = 1 << 20;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  static const auto bytes = std::int64_t{sysconf(_SC_LEVEL2_CACHE_SIZE)};
  return bytes > 0 ? bytes : kUsual;
#else
  return kUsual;
#endif
}

}  // namespace namid::engine
