// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/cpu_features.h"

#include <gtest/gtest.h>

namespace namid::engine {
namespace {

TEST(CpuFeatures, WhatAMachineGoesWithoutIsSaidOfTheOneThatDoes) {
  EXPECT_EQ(shortcoming(InstructionSet::avx512), "");
  EXPECT_EQ(shortcoming(InstructionSet::avx2), "");
  EXPECT_NE(shortcoming(InstructionSet::portable).find("AVX2"), std::string_view::npos);
}

TEST(CpuFeatures, TheCacheHasAPlausibleSize) {
  EXPECT_GE(second_level_cache(), 64 << 10);
  EXPECT_LE(second_level_cache(), 1 << 28);
}

}  // namespace
}  // namespace namid::engine
