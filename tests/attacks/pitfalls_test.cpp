// SPDX-License-Identifier: Apache-2.0
// Defects of published attack code, each with a test that namid does not have it.
#include "attacks/toy.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/pgd.h"
#include "namid/models/registry.h"

namespace namid::attacks {
namespace {

TEST(PgdPitfalls, RandomStartsFollowTheSampleNotTheBatch) {
  const auto model = curved({12});
  const auto x = images(6, {12}), y = labels(6, 4);
  const PgdOptions options{.budget = {Norm::linf, 0.1}, .steps = 1, .step_size = 0.0};
  const auto order = at::tensor({4, 0, 5, 2}, at::kLong);
  const auto whole = pgd(model, x, y, options);
  const auto some = pgd(model, x.index_select(0, order), y.index_select(0, order), options);
  EXPECT_TRUE(same_bits(some.x_adv, whole.x_adv.index_select(0, order)));
  EXPECT_FALSE(at::allclose(whole.x_adv[0] - x[0], whole.x_adv[1] - x[1], 0, 1e-4));
}

TEST(PgdPitfalls, TheGlobalGeneratorIsNeitherReadNorSeeded) {
  const auto model = curved({12});
  at::manual_seed(5);
  const auto expected = at::rand({4});
  at::manual_seed(5);
  const auto first = pgd(model, images(2, {12}), labels(2, 4)).x_adv;
  EXPECT_TRUE(same_bits(at::rand({4}), expected));
  EXPECT_TRUE(same_bits(pgd(model, images(2, {12}), labels(2, 4)).x_adv, first));
}

TEST(PgdPitfalls, EpsilonZeroGivesNoNaNInL2) {
  const auto x = images(3, {1, 8, 8});
  const auto result = pgd(curved({1, 8, 8}), x, labels(3, 4), {.budget = {Norm::l2, 0}});
  EXPECT_TRUE(same_bits(result.x_adv, x));
}

TEST(PgdPitfalls, AZeroGradientNeitherMovesNorGivesNaN) {
  const Classifier constant([](const at::Tensor& x) { return x.slice(1, 0, 3) * 0; },
                            {.name = "constant", .num_classes = 3, .input_shape = {12}});
  const auto x = images(3, {12}), y = labels(3, 3);
  for (const auto norm : {Norm::linf, Norm::l2}) {
    for (const auto start : {Start::none, Start::uniform}) {
      PgdOptions options{.budget = {norm, 0.1}, .start = start, .judge = Judge::last};
      const auto moved = pgd(constant, x, y, options).x_adv;
      options.step_size = 0.0;
      EXPECT_TRUE(at::allclose(moved, pgd(constant, x, y, options).x_adv, 0, 1e-7));
      EXPECT_TRUE(at::isfinite(moved).all().item<bool>());
    }
  }
}

TEST(PgdPitfalls, SaturatedLogitsGiveNoNaNAndTheMarginLossStillMoves) {
  const auto weight = wave({3, 12}, 1e30, 0.7, 0.3);
  const auto model = linear(weight, at::zeros({3}), {12});
  const auto x = images(4, {12}), y = model(x).argmax(1);
  for (const auto norm : {Norm::linf, Norm::l2}) {
    PgdOptions options{.budget = {norm, 0.2}, .start = Start::none};
    EXPECT_TRUE(at::isfinite(pgd(model, x, y, options).x_adv).all().item<bool>());
    options.loss = AttackLoss::margin;
    const auto before = attack_loss(options.loss, model(x), y);
    EXPECT_TRUE((pgd(model, x, y, options).loss > before).all().item<bool>());
  }
}

TEST(PgdPitfalls, EpsilonIsInImageUnitsForANormalisingModel) {
  const auto weight = wave({3, 12}, 1, 0.7, 0.3);
  const Classifier model([=](const at::Tensor& x) { return at::linear(x.flatten(1), weight); },
                         {.name = "normalising",
                          .num_classes = 3,
                          .input_shape = {3, 2, 2},
                          .mean = {0.5, 0.4, 0.3},
                          .std = {0.1, 0.2, 0.3}});
  const auto x = images(2, {3, 2, 2}, 0.2), y = labels(2, 3);
  const auto result = pgd(model, x, y, {.budget = {Norm::linf, 0.05}, .start = Start::none});
  const auto reached = perturbation_norms(result.x_adv, x, Norm::linf).max().item<double>();
  EXPECT_NEAR(reached, 0.05, 1e-6);
  const auto normalised = (x - 0.6) / 0.1;
  EXPECT_NE(message_of([&] { pgd(model, normalised, y); }).find("before normalisation"),
            std::string::npos);
}

TEST(PgdPitfalls, EveryPointTheModelSeesIsInBallAndBox) {
  for (const auto norm : {Norm::linf, Norm::l2}) {
    std::vector<at::Tensor> seen;
    const auto inner = curved({12});
    const Classifier model(
        [&](const at::Tensor& x) {
          seen.push_back(x.detach().clone());
          return inner(x);
        },
        {.name = "watched", .num_classes = 4, .input_shape = {12}});
    const auto x = images(4, {12});
    for (const int round : {0, 1})
      pgd(model, x, labels(4, 4),
          {.budget = {norm, 0.15}, .steps = 6, .step_size = 0.1, .restarts = 2}, {.round = round});
    EXPECT_EQ(seen.size(), 14u);
    for (const auto& point : seen) {
      EXPECT_LE(perturbation_norms(point, x, norm).max().item<double>(), 0.15 * (1 + 1e-5));
      EXPECT_GE(point.min().item<float>(), 0);
      EXPECT_LE(point.max().item<float>(), 1);
    }
  }
}

TEST(PgdPitfalls, AnUnclippedGaussianStartIsNeverReturned) {
  const auto x = at::cat({at::zeros({4, 6}), at::ones({4, 6})}, 1);
  const auto inner = curved({12});
  const auto result =
      pgd(inner, x, labels(4, 4), {.steps = 1, .step_size = 0.0, .start = Start::gauss});
  EXPECT_GE(result.x_adv.min().item<float>(), 0);
  EXPECT_LE(result.x_adv.max().item<float>(), 1);
  EXPECT_GE(result.step.min().item<std::int64_t>(), 1);
}

TEST(PgdPitfalls, BatchNormIsInEvalModeAndItsStatisticsStay) {
  const auto model = models::create({.model = "small_cnn", .width = 4}, {1, 8, 8}, 4, 1);
  model.train();
  model(images(8, {1, 8, 8}));
  TensorMap before;
  for (const auto& [name, tensor] : model.state_dict()) before.emplace_back(name, tensor.clone());
  const auto x = images(4, {1, 8, 8}, 0.5, 0.37), y = labels(4, 4);
  const auto whole = pgd(model, x, y, {.steps = 3});
  const auto alone = pgd(model, x.slice(0, 2, 3), y.slice(0, 2, 3), {.steps = 3});
  EXPECT_NEAR(alone.loss[0].item<float>(), whole.loss[2].item<float>(), 1e-4);
  const auto after = model.state_dict();
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(at::equal(after[i].second, before[i].second)) << after[i].first;
  EXPECT_TRUE(model.is_training());
  for (const auto& parameter : model.parameters()) {
    EXPECT_TRUE(parameter.requires_grad());
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST(PgdPitfalls, TheL2StepDoesNotShrinkWithTheBatchOrTheGradient) {
  const auto weight = wave({2, 12}, 1e-9, 0.7, 0.3);
  const auto model = linear(weight, at::zeros({2}), {12});
  const auto x = images(64, {12}, 0.2), y = at::zeros({64}, at::kLong);
  const PgdOptions options{.budget = {Norm::l2, 0.1},
                           .steps = 1,
                           .step_size = 0.05,
                           .start = Start::none,
                           .judge = Judge::last};
  const auto moved = perturbation_norms(pgd(model, x, y, options).x_adv, x, Norm::l2);
  EXPECT_TRUE(at::allclose(moved, at::full({64}, 0.05, at::kDouble), 1e-4, 0));
}

TEST(PgdPitfalls, HalfPrecisionLogitsDoNotOverflow) {
  const auto inner = curved({12});
  const Classifier model([=](const at::Tensor& x) { return inner(x * 1).to(at::kHalf); },
                         {.name = "half", .num_classes = 4, .input_shape = {12}});
  const auto x = images(3, {12}), y = labels(3, 4);
  const auto result = pgd(model, x, y, {.budget = {Norm::l2, 0.5}});
  EXPECT_EQ(result.loss.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::isfinite(result.x_adv).all().item<bool>());
  EXPECT_GT(perturbation_norms(result.x_adv, x, Norm::l2).min().item<double>(), 0.1);
}

TEST(PgdPitfalls, ChannelsLastAndExpandedImagesAreFine) {
  const auto model = curved({3, 5, 7});
  const auto x = images(2, {3, 5, 7}), y = labels(2, 4);
  const auto expected = pgd(model, x, y).x_adv;
  const auto last = x.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(at::allclose(pgd(model, last, y).x_adv, expected, 0, 1e-6));
  const auto repeated = x.slice(0, 0, 1).expand({4, 3, 5, 7});
  const auto same = pgd(model, repeated, at::zeros({4}, at::kLong)).x_adv;
  EXPECT_TRUE(at::allclose(same[0], same[3])) << "equal image and label: equal id, equal draw";
}

}  // namespace
}  // namespace namid::attacks
