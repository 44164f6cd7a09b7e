// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "namid/core/options.h"

namespace namid::engine {

/// What kernels are compiled for; portable: the baseline of the library's architecture.
/// avx2: with FMA; avx512: F, VL, BW and DQ.
enum class InstructionSet { portable, avx2, avx512 };

/// The widest one that this machine executes.
InstructionSet best_instruction_set();

/// What the user of such a machine should know; empty but for `portable`.
std::string_view shortcoming(InstructionSet instructions);

/// Bytes of a core's second-level cache; 1 MiB where the system does not say.
std::int64_t second_level_cache();

}  // namespace namid::engine

namespace namid {
template <>
struct EnumNames<engine::InstructionSet> {
  static constexpr std::array kNames{"portable", "avx2", "avx512"};
};
}  // namespace namid
