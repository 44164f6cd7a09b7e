// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/malt.h"

#include "attacks/contract.h"
#include "namid/attacks/apgd_t.h"

namespace namid::attacks {
namespace {

class MaltGolden : public ::testing::Test {
 protected:
  MaltRanking ranking(Norm norm) const { return malt_ranking(model, x, y, norm, 100); }
  void expect_row(const MaltRanking& got, int row, const std::vector<std::int64_t>& classes,
                  const std::vector<double>& scores) {
    EXPECT_TRUE(at::equal(got.classes[row], at::tensor(classes, at::kLong))) << got.classes[row];
    expect_values(got.scores[row], scores, 3e-4);
  }
  Classifier model = golden_linear();
  at::Tensor x = images(2, {3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);
};

TEST_F(MaltGolden, RanksTheClassesAsTheReferenceDoes) {
  const auto linf = ranking(Norm::linf);
  expect_row(linf, 0, {7, 4, 3, 1, 6, 9, 8, 5, 2}, {.002899, .007104, .008819});
  expect_row(linf, 1, {7, 3, 4, 6, 1, 9, 8, 2, 5}, {.003762, .005932, .007063});
  const auto l2 = ranking(Norm::l2);
  expect_values(l2.scores.select(1, 0), {.036078, .046817}, 3e-4);
}

TEST_F(MaltGolden, FewerCandidatesAreTheLikeliestOnes) {
  // Logits of the second image: 3 7 6 4 ...; nearest first: 7 3 4 6.
  const auto three = malt_ranking(model, x, y, Norm::linf, 3);
  EXPECT_TRUE(at::equal(three.classes[1], at::tensor({7, 3, 6}, at::kLong))) << three.classes[1];
  EXPECT_TRUE((three.scores.diff(1, 1) >= 0).all().item<bool>());
}

TEST(Malt, AClassOfZeroGradientIsLastNotFirst) {
  auto weight = wave({5, 12}, 0.5, 0.7);
  weight[2] = weight[0];  // z_2 − z_0 is flat
  const auto bias = at::tensor({1.0f, 0.f, 0.9f, 0.f, 0.f});
  const auto model = linear(weight, bias, {12});
  const auto x = images(4, {12});
  const auto got = malt_ranking(model, x, at::zeros({4}, at::kLong), Norm::l2, 100);
  EXPECT_TRUE((got.classes.select(1, 3) == 2).all().item<bool>());
  EXPECT_TRUE(at::isinf(got.scores.select(1, 3)).all().item<bool>());
  EXPECT_TRUE(at::isfinite(got.scores.narrow(1, 0, 3)).all().item<bool>());
}

TEST(Malt, WithAllClassesItBreaksWhatApgdTBreaks) {
  const auto model = curved({1, 4, 4}, 6);
  const auto x = images(30, {1, 4, 4});
  const auto y = model(x).argmax(1);
  const Budget budget{Norm::linf, 0.05};
  const auto ours = malt(model, x, y, {.budget = budget, .steps = 30});
  const auto theirs = apgd_t(model, x, y, {.budget = budget, .steps = 30});
  const auto differ = ours.success.logical_xor(theirs.success).sum().item<std::int64_t>();
  EXPECT_LE(differ, 1) << ours.success << theirs.success;
  EXPECT_GT(ours.success.sum().item<std::int64_t>(), 0);
}

TEST(Malt, RoundsAndRefusals) {
  EXPECT_EQ(rounds(MaltOptions{}, 1000), 9);
  EXPECT_EQ(rounds(MaltOptions{}, 4), 3);
  EXPECT_EQ(rounds(MaltOptions{.candidates = 2}, 10), 2);
  const auto few = curved({12}, 3);
  const auto x = images(2, {12}), y = labels(2, 3);
  EXPECT_EQ(message_of([&] { malt(few, x, y); }),
            "[malt] needs at least 4 classes for its targeted loss, the model has 3; use apgd-ce");
  Context replaced;
  replaced.loss = [](const at::Tensor&, const at::Tensor& z, const at::Tensor&) {
    return z.sum(1);
  };
  EXPECT_NE(message_of([&] { malt(curved({12}), x, y, {}, replaced); }), "no such error");
}

/// The model's float32 products round by the batch's size, and the loss has kinks where two other
/// classes tie: later steps then part. In float64 nothing is left of the batch.
TEST(Malt, InFloat64ASampleAloneIsAttackedAsInItsBatchToTheBit) {
  const auto model = curved_in_float64({12});
  const auto x = images(8, {12}), y = labels(8, 4);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Context context{.random = Random(seed, "malt")};
    const MaltOptions options{.budget = {Norm::linf, 0.1}, .steps = 20, .targets = 3};
    const auto together = malt(model, x, y, options, context);
    for (std::int64_t i = 0; i < 8; ++i) {
      const auto alone = malt(model, x.narrow(0, i, 1), y.narrow(0, i, 1), options, context);
      EXPECT_TRUE(same_bits(alone.x_adv[0], together.x_adv[i])) << "seed " << seed << ", " << i;
    }
  }
}

NAMID_ATTACK_CONTRACT(Malt, {.attack = "malt",
                             .options = {{"steps", "10"}, {"targets", "3"}},
                             .classes = 4});

}  // namespace
}  // namespace namid::attacks
