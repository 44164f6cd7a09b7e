// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/a3.h"

#include "attacks/contract.h"
#include "namid/attacks/pgd.h"

namespace namid::attacks {
namespace {

TEST(A3, TheScheduleIsThePapers) {
  EXPECT_EQ(rounds(A3Options{}), 68);
  const std::vector<std::pair<int, A3Row>> expected{
      {0, {8, 1, false}},       {2, {8, 1, false}},     {3, {25, 0.7, false}},
      {5, {30, 0.5, false}},    {8, {45, 0.2, false}},  {9, {50, 0.1, false}},
      {10, {50, 0.1, false}},   {13, {50, 0.1, false}}, {14, {55, 0.065, false}},
      {17, {55, 0.065, false}}, {18, {60, 0.03, true}}, {67, {60, 0.03, true}},
      {500, {60, 0.03, true}}};
  for (const auto& [round, row] : expected) {
    EXPECT_EQ(a3_row(round).steps, row.steps) << round;
    EXPECT_EQ(a3_row(round).share, row.share) << round;
    EXPECT_EQ(a3_row(round).last, row.last) << round;
  }
}

TEST(A3, StepsAreTheGoldenOnes) {
  const std::vector<double> golden{1, .972862, .89472, .775, .628142, .471858, .325, .20528};
  for (int t = 0; t < 8; ++t)
    EXPECT_NEAR(a3_step(t, 8), golden[static_cast<std::size_t>(t)], 5e-7) << t;
}

TEST(A3, StepsFallFromTheRadiusAlongACosine) {
  EXPECT_DOUBLE_EQ(a3_step(0, 8), 1);
  EXPECT_DOUBLE_EQ(a3_step(0, 25), 1);
  EXPECT_NEAR(a3_step(4, 7), 0.55, 1e-12) << "half way, n ≤ 10: (0.1 + 1) / 2";
  EXPECT_NEAR(a3_step(10, 19), 0.5005, 1e-12) << "half way, n > 10: (0.001 + 1) / 2";
  EXPECT_NEAR(a3_step(3, 8), 0.1 + 0.9 * 0.75, 1e-12) << "cos 60° = 1/2";
  for (const int steps : {5, 15})
    for (int t = 1; t < steps; ++t) EXPECT_LT(a3_step(t, steps), a3_step(t - 1, steps));
}

TEST(A3, TargetsGoThroughTheRivalsInTurn) {
  EXPECT_EQ(a3_rank(2, 10), 0);
  EXPECT_EQ(a3_rank(10, 10), 8);
  EXPECT_EQ(a3_rank(11, 10), 0);
  EXPECT_EQ(a3_rank(18, 10), 0) << "16 modulo 4 in the last rows";
  EXPECT_EQ(a3_rank(21, 10), 3);
  EXPECT_EQ(a3_rank(16, 100), 0);
  EXPECT_EQ(a3_rank(16, 1000), 14);
  EXPECT_EQ(a3_rank(22, 1000), 0);
  for (int round = 2; round < 9; ++round) EXPECT_EQ(a3_rank(round, 2), 0);
}

TEST(A3, TheSignsOfWAndVChooseTheDirection) {
  EXPECT_EQ(a3_direction(1, 1, 10), A3Direction::raise_both);
  EXPECT_EQ(a3_direction(-1, 1, 10), A3Direction::raise_label);
  EXPECT_EQ(a3_direction(-1, -1, 10), A3Direction::lower_both);
  EXPECT_EQ(a3_direction(1, -1, 10), A3Direction::lower_label);
  EXPECT_EQ(a3_direction(0, 0, 10), A3Direction::lower_label);
  EXPECT_EQ(a3_direction(-1, 1, 100), A3Direction::lower_label) << "forced from 100 classes on";
}

TEST(A3, WhatASuccessTeachesIsTheSumOfItsDirection) {
  const Random random(3, "test/a3");
  const SampleIds ids{5, 9, 2};
  const auto y = at::tensor({0, 1, 3}, at::kLong), reached = at::tensor({2, 0, 1}, at::kLong);
  const Context context{.random = random};
  const auto omega = a3_random_direction(Draws(context, ids, 1), y, 4);
  EXPECT_LE(omega.abs().max().item<double>(), 1);
  EXPECT_LT(omega.min().item<double>(), 0);
  double w = 0, v = 0;
  for (std::int64_t i = 0; i < 3; ++i) {
    w += omega[i][reached[i].item<std::int64_t>()].item<double>();
    v += omega[i][y[i].item<std::int64_t>()].item<double>();
  }
  EXPECT_EQ(a3_direction(random, ids, y, reached, 4), a3_direction(w, v, 4));
  EXPECT_EQ(a3_direction(random, {}, y.narrow(0, 0, 0), y.narrow(0, 0, 0), 4),
            A3Direction::lower_label);
}

/// Where the logits are the image itself, the starts show the signs of ω.
TEST(A3, StartsMoveTheLabelAndTheTargetAsTheDirectionSays) {
  const Classifier model([](const at::Tensor& x) { return x.flatten(1) * 4; },
                         {.name = "identity", .num_classes = 10, .input_shape = {10}});
  const std::int64_t n = 400;
  auto x = at::full({n, 10}, 0.5f) + 0.01 * at::arange(10).to(at::kFloat);
  const auto y = at::full({n}, 9, at::kLong);
  SampleIds ids;
  for (std::int64_t i = 0; i < n; ++i) ids.push_back(static_cast<std::uint64_t>(i));
  const auto moved = [&](A3Direction direction, int round) {
    std::vector<at::Tensor> points;
    Context context{.random = Random(0, "a3"), .ids = ids, .round = round, .compact = false};
    const Classifier watched(
        [&](const at::Tensor& at) {
          points.push_back(at.detach().clone());
          return model(at);
        },
        model.info());
    a3(watched, x, y, {.budget = {Norm::linf, 0.004}, .steps = 1, .direction = direction}, context);
    const std::size_t after = points.size() - 2;  // the point of the only step on the margin
    return (points[after] > x).to(at::kDouble).mean(0);
  };
  // Label: up with probability 5/6 for (−0.1, 0.5), 1/6 for (−0.5, 0.1), 1/9 for (−0.8, 0.1).
  const auto both = moved(A3Direction::raise_both, 2);
  EXPECT_NEAR(both[9].item<double>(), 5. / 6, 0.06);
  EXPECT_EQ(both[8].item<double>(), 1) << "the likeliest rival is raised";
  EXPECT_NEAR(both[3].item<double>(), 0.5, 0.08) << "no other is";
  const auto label = moved(A3Direction::raise_label, 3);
  EXPECT_NEAR(label[9].item<double>(), 5. / 6, 0.06);
  EXPECT_EQ(label[7].item<double>(), 0) << "the second rival is lowered";
  const auto lower = moved(A3Direction::lower_both, 2);
  EXPECT_NEAR(lower[9].item<double>(), 1. / 6, 0.06);
  EXPECT_EQ(lower[8].item<double>(), 0);
  const auto last = moved(A3Direction::raise_label, 18);
  EXPECT_NEAR(last[9].item<double>(), 1. / 9, 0.05) << "whatever is asked for";
  EXPECT_EQ(last[8].item<double>(), 1);
  const auto random = moved(A3Direction::raise_both, 1);
  EXPECT_NEAR(random.min().item<double>(), 0.5, 0.1);
  EXPECT_NEAR(random.max().item<double>(), 0.5, 0.1);
}

TEST(A3, IsNoWeakerThanPgdOfAsManySteps) {
  const auto model = curved({1, 4, 4}, 6);
  const auto x = images(60, {1, 4, 4});
  const auto y = model(x).argmax(1);
  const Budget budget{Norm::linf, 0.05};
  const auto ours = a3(model, x, y, {.budget = budget, .restarts = 6});
  const auto theirs = pgd(model, x, y, {.budget = budget, .steps = 20, .restarts = 6});
  EXPECT_GE(ours.success.sum().item<std::int64_t>(), theirs.success.sum().item<std::int64_t>());
  EXPECT_GT(ours.success.sum().item<std::int64_t>(), 0);
  EXPECT_LT(ours.success.sum().item<std::int64_t>(), 60);
}

TEST(A3, PassesAreThoseOfTheScheduleAndNormsAreChecked) {
  const auto model = curved({12});
  const auto x = images(5, {12});
  const auto y = model(x).argmax(1);
  const Budget budget{Norm::linf, 1e-5};  // fools nothing
  const auto once = a3(model, x, y, {.budget = budget, .restarts = 1});
  EXPECT_EQ(once.passes.backwards, 5 * 8);
  EXPECT_EQ(once.passes.forwards, 5 * 9);
  const auto four = a3(model, x, y, {.budget = budget, .restarts = 4});
  EXPECT_EQ(four.passes.backwards, 5 * (8 + 2 * (7 + 8 + 7) + (7 + 25 + 7)));
  EXPECT_EQ(four.passes.forwards, four.passes.backwards + 5 * (4 + 2));
  EXPECT_EQ(message_of([&] {
              a3(model, x, y, {.budget = {Norm::l1, 1}});
            }),
            "[a3] norm: expected linf or l2, got l1");
  EXPECT_NE(message_of([&] { a3(model, x, y, {.restarts = 0}); }).find("restarts: expected"),
            std::string::npos);
}

NAMID_ATTACK_CONTRACT(A3, {.attack = "a3", .options = {{"restarts", "5"}}});

}  // namespace
}  // namespace namid::attacks
