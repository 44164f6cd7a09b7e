// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/reference_bank.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/mi/donsker_varadhan.h"
#include "namid/mi/scores.h"

namespace namid::mi {
namespace {

at::Tensor waves(at::IntArrayRef shape, double speed) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  return at::sin(speed * at::arange(count, at::kDouble)).view(shape);
}

struct Bank : ::testing::Test {
  at::Tensor global = waves({5, 3}, 0.7), local = waves({5, 3, 4}, 0.3);
  at::Tensor nobody = at::zeros({5, 5}, at::kBool);
};

TEST_F(Bank, IsTheDonskerVaradhanScoreWhereTheBankIsTheBatch) {
  const auto score = bank_score(global, local, local, at::eye(5, at::kBool));
  const auto expected = -donsker_varadhan(score_tensor(global, local));
  EXPECT_TRUE(at::allclose(score, expected, 1e-12, 1e-12));
}

TEST_F(Bank, ScoresASampleWithoutItsNeighbours) {
  const auto bank = waves({7, 3, 4}, 1.1);
  const auto own = at::zeros({5, 7}, at::kBool);
  const auto all = bank_score(global, local, bank, own);
  for (int i = 0; i < 5; ++i) {
    const auto alone =
        bank_score(global.narrow(0, i, 1), local.narrow(0, i, 1), bank, own.narrow(0, i, 1));
    EXPECT_TRUE(at::allclose(alone[0], all[i], 1e-12, 1e-12)) << i;
  }
}

TEST_F(Bank, LeavesTheSampleItselfOutOfSumAndCount) {
  const auto others = at::cat({local.narrow(0, 0, 2), local.narrow(0, 3, 2)});
  auto own = nobody.clone();
  own.select(1, 2).fill_(true);
  EXPECT_TRUE(at::allclose(bank_score(global, local, local, own),
                           bank_score(global, local, others, at::zeros({5, 4}, at::kBool)), 1e-12,
                           1e-12));
}

TEST_F(Bank, FindsTheSamplesOfTheBankById) {
  const auto same = same_samples({7, 3, 9}, {3, 4, 9, 3}, at::kCPU);
  const auto expected = at::tensor({0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0}, at::kLong).view({3, 4});
  EXPECT_TRUE(at::equal(same.to(at::kLong), expected));
}

TEST_F(Bank, RefusesOtherShapesAndABankOfTheSampleAlone) {
  EXPECT_THROW(bank_score(global, local, local, at::eye(4, at::kBool)), OptionError);
  EXPECT_THROW(bank_score(global, local, waves({7, 3, 5}, 1), at::zeros({5, 7}, at::kBool)),
               OptionError);
  EXPECT_THROW(bank_score(global, local.squeeze(), local.select(0, 0), nobody), OptionError);
  EXPECT_THROW(bank_score(global, local, local, at::ones({5, 5}, at::kBool)), OptionError);
}

}  // namespace
}  // namespace namid::mi
