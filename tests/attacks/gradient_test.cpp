// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/gradient.h"

#include "attacks/toy.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/pgd.h"

namespace namid::attacks {
namespace {

at::Tensor cross_entropy(const at::Tensor&, const at::Tensor& logits, const at::Tensor& y) {
  return attack_loss(AttackLoss::cross_entropy, logits, y);
}

TEST(LossSurface, GradientIsThatOfEachSamplesOwnLoss) {
  const auto x = images(2, {3, 8, 8});
  const auto y = at::zeros({2}, at::kLong);
  const auto model = golden_linear();
  const Context context;
  LossSurface surface("test", model, y, cross_entropy, context);
  const auto point = surface.gradient(x, 0);
  const auto weight = wave({10, 192}, 0.2, 0.37);
  auto pull = at::softmax(model(x), 1);
  pull.select(1, 0) -= 1;
  EXPECT_TRUE(at::allclose(point.gradient.flatten(1), pull.matmul(weight), 1e-4, 1e-6));
  EXPECT_NEAR((point.gradient[0].abs().sum() / 2).item<double>(), 9.65846, 1e-4) << "of the mean";
  EXPECT_NEAR((point.gradient[1].abs().sum() / 2).item<double>(), 10.01177, 1e-4);
  EXPECT_FALSE(point.loss.requires_grad());
  EXPECT_FALSE(point.logits.requires_grad());
  EXPECT_EQ(surface.finish().backwards, 2);
}

TEST(LossSurface, TheCallersLossReplacesTheAttacksOwn) {
  const auto model = curved({12});
  const auto x = images(4, {12}), y = labels(4, 4);
  const auto mask = at::tensor({1.0f, 0.0f, 1.0f, 0.0f});
  Context context;
  context.loss = [&](const at::Tensor& x_adv, const at::Tensor& logits, const at::Tensor& at_y) {
    return cross_entropy(x_adv, logits, at_y) * mask;
  };
  const auto result = pgd(model, x, y, {.start = Start::none, .judge = Judge::last}, context);
  const auto moved = (result.x_adv - x).abs().amax(1) > 0;
  EXPECT_TRUE(at::equal(moved, mask > 0)) << "a masked sample has a zero gradient and stays";
  EXPECT_EQ(result.loss[1].item<float>(), 0);
}

TEST(LossSurface, TheCallersGradientReplacesAutograd) {
  const Classifier blind(
      [](const at::Tensor& x) {
        return at::zeros({x.size(0), 3});
      },
      {.name = "blind", .num_classes = 3, .input_shape = {12}});
  const auto x = images(2, {12}, 0.2), y = at::zeros({2}, at::kLong);
  Context context;
  context.gradient = [](const at::Tensor& x_adv, const at::Tensor&) { return x_adv * 0 + 2; };
  const auto result =
      pgd(blind, x, y, {.budget = {Norm::linf, 0.1}, .judge = Judge::last}, context);
  EXPECT_TRUE(at::allclose(result.x_adv, x + 0.1));
  EXPECT_EQ(result.passes.forwards, 2 * 11);
  EXPECT_EQ(result.passes.backwards, 2 * 10);
}

TEST(LossSurface, HooksOfAnotherShapeAreRefused) {
  const auto model = curved({12});
  const auto x = images(2, {12}), y = labels(2, 4);
  Context context;
  context.loss = [](const at::Tensor&, const at::Tensor& logits, const at::Tensor&) {
    return logits.sum();
  };
  EXPECT_EQ(message_of([&] { pgd(model, x, y, {}, context); }),
            "[pgd] loss: expected one value per sample (2), got shape []");
  context.loss = {};
  context.gradient = [](const at::Tensor& x_adv, const at::Tensor&) { return x_adv[0]; };
  EXPECT_EQ(message_of([&] { pgd(model, x, y, {}, context); }),
            "[pgd] gradient: expected shape [2, 12] like x, got [12]");
}

TEST(LossSurface, AModelWithoutGradientIsRefusedNotSilentlyRobust) {
  const Classifier rounded([](const at::Tensor& x) { return x.detach().slice(1, 0, 3).round(); },
                           {.name = "rounded", .num_classes = 3, .input_shape = {12}});
  EXPECT_EQ(message_of([&] { pgd(rounded, images(2, {12}), labels(2, 3)); }),
            "[pgd] the loss has no gradient with respect to x: the model or the loss is not "
            "differentiable; give the context a gradient function");
}

TEST(LossSurface, NamesStepAndCountOfWhatIsNotFinite) {
  int calls = 0;
  const auto failing = [&](float value) {
    calls = 0;
    return Classifier(
        [&calls, value](const at::Tensor& x) {
          auto logits = x.slice(1, 0, 3) * 1;
          if (++calls == 3) logits = logits + at::tensor({0.0f, value, 0.0f}).view({3, 1});
          return logits;
        },
        {.name = "failing", .num_classes = 3, .input_shape = {12}});
  };
  const auto x = images(3, {12}), y = labels(3, 3);
  const auto message = [&](const Classifier& model) {
    return message_of<NumericError>([&] { pgd(model, x, y); });
  };
  const std::string expected = "[pgd] logits at step 2: not finite for 1 of 3 samples";
  EXPECT_EQ(message(failing(std::numeric_limits<float>::quiet_NaN())), expected);
  EXPECT_EQ(message(failing(std::numeric_limits<float>::infinity())), expected);
  const Classifier root([](const at::Tensor& x) { return at::sqrt(x.slice(1, 0, 3) * 0); },
                        {.name = "root", .num_classes = 3, .input_shape = {12}});
  EXPECT_EQ(message(root), "[pgd] gradient at step 0: not finite for 3 of 3 samples");
}

TEST(LossSurface, VerdictFollowsArgmax) {
  const auto logits = at::tensor({1.0f, 2.0f, 2.0f, 1.0f}).view({2, 2});
  const auto y = at::zeros({2}, at::kLong);
  EXPECT_TRUE(at::equal(fooled(logits, y, false), at::tensor({1, 0}, at::kInt).to(at::kBool)));
  EXPECT_TRUE(at::equal(fooled(logits, y, true), at::tensor({0, 1}, at::kInt).to(at::kBool)));
}

/// Two classes; each call adds the next of `noise` to the logit of class 1.
Classifier drawing(std::vector<float> noise) {
  auto next = std::make_shared<std::size_t>(0);
  return Classifier(
      [noise, next](const at::Tensor& x) {
        const float draw = noise.at((*next)++ % noise.size());
        return at::cat({x * 0, x * (1 + draw) + draw}, 1);
      },
      {.name = "drawing", .num_classes = 2, .input_shape = {1}});
}

TEST(ExpectationOverTransformation, LossAndGradientAreMeansAndLogitsThoseOfTheMeanPrediction) {
  const auto x = at::full({3, 1}, 0.5f), y = at::zeros({3}, at::kLong);
  const std::vector<float> noise{-3, 1, 4};
  const auto margin = climbed_loss(AttackLoss::margin, false);
  Passes passes;
  const Context context{.passes = &passes};
  LossSurface surface("test", drawing(noise), y, margin, context);
  surface.average({.draws = 3});
  const auto point = surface.gradient(x, 0);
  double loss = 0, slope = 0, share = 0;
  for (const double draw : noise) {
    const double logit = 0.5 * (1 + draw) + draw;
    loss += logit / 3;
    slope += (1 + draw) / 3;
    share += 1 / (1 + std::exp(-logit)) / 3;
  }
  EXPECT_NEAR(point.loss[1].item<double>(), loss, 1e-6);
  EXPECT_NEAR(point.gradient[1][0].item<double>(), slope, 1e-6);
  EXPECT_NEAR(point.logits.exp()[1][1].item<double>(), share, 1e-6);
  EXPECT_EQ(passes.forwards, 9);
  EXPECT_EQ(passes.backwards, 9);
  EXPECT_TRUE(at::allclose(surface.value(x, 1).loss, point.loss, 1e-6));
  EXPECT_TRUE(at::allclose(surface.logits(x, 2), point.logits, 1e-6));
  EXPECT_EQ(surface.finish().forwards, 27);
}

TEST(ExpectationOverTransformation, JudgingByTheLastDrawIsForParityOnly) {
  const auto x = at::full({1, 1}, 0.5f), y = at::zeros({1}, at::kLong);
  const Context context;
  LossSurface surface("test", drawing({-3, -3, 4}), y, climbed_loss(AttackLoss::margin, false),
                      context);
  surface.average({.draws = 3, .judge_last = true});
  const auto point = surface.gradient(x, 0);
  EXPECT_NEAR(point.loss[0].item<double>(), 6.5, 1e-6);
  EXPECT_TRUE(fooled(point.logits, y, false)[0].item<bool>());
  EXPECT_NEAR(point.gradient[0][0].item<double>(), 1 - 2.0 / 3, 1e-6) << "of all draws";
}

}  // namespace
}  // namespace namid::attacks
