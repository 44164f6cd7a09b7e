// SPDX-License-Identifier: Apache-2.0
#include "namid/core/shell.h"

#include <gtest/gtest.h>

namespace namid {
namespace {

TEST(Shell, WordsAreQuotedWhereAShellWouldReadThemOtherwise) {
  EXPECT_EQ(shell_word("runs/train/a-001"), "runs/train/a-001");
  EXPECT_EQ(shell_word("mean=0.5,0.5"), "mean=0.5,0.5");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("two words"), "'two words'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("$(rm x)"), "'$(rm x)'");
}

}  // namespace
}  // namespace namid
