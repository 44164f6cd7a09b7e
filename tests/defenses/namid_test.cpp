// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/namid.h"

#include <gtest/gtest.h>

#include "support/mi_toy.h"

namespace namid::defenses {
namespace {

using testing::deviation;
using testing::gradient_error;
using testing::MiToy;
using testing::small_estimators;
using testing::value;
using testing::wave;

/// A linear model in float64; samples 0, 2, 4, ... are selected.
struct Linear {
  std::int64_t n;
  at::Tensor weight = 0.2 * wave({10, 192}, 0.37);
  at::Tensor x = 0.5 + 0.5 * wave({n, 3, 8, 8}, 0.353), x_adv = x.clone();
  at::Tensor y = logits(weight, x).argmax(1);

  explicit Linear(std::int64_t samples) : n(samples) {
    for (std::int64_t i = 0; i < n; ++i) {  // every other sample moves towards the next class
      const auto label = y[i].item<std::int64_t>();
      const auto direction = (weight[(label + 1) % 10] - weight[label]).sign().view({3, 8, 8});
      x_adv[i] = (x[i] + (i % 2 ? -0.02 : 0.3) * direction).clamp(0, 1);
    }
  }
  static at::Tensor logits(const at::Tensor& weight, const at::Tensor& x) {
    return x.flatten(1).matmul(weight.t());
  }
  Classifier model(const at::Tensor& w) const {
    return Classifier([w](const at::Tensor& images) { return logits(w, images); },
                      {.name = "linear", .num_classes = 10, .input_shape = {3, 8, 8}}, {w});
  }
  ObjectiveResult loss(const at::Tensor& w, const NamidOptions& options = {},
                       const mi::EstimatorPair& estimators = small_estimators()) const {
    return namid_loss(model(w), {x, y, {}}, x_adv, {estimators, options});
  }
};

TEST(NamidLoss, GivesTheReferenceValues) {
  const MiToy toy;
  const NamidOptions options{
      .lambda = 0, .selection = mi::SelectionRule::batch_softmax, .dv_mask = mi::DvMask::multiply};
  const auto result =
      namid_loss(toy.model, {toy.x, toy.y, {}}, toy.x_adv, {toy.estimators, options});
  const auto gradient = torch::autograd::grad({result.loss}, {toy.weight})[0].abs().sum();
  RecordProperty("deviation of CE", str(result.metrics.at("base_loss") - 2.607493));
  RecordProperty("deviation of L_all", str(value(result.loss) - 5.710791));
  RecordProperty("relative deviation of the gradient", str(value(gradient) / 3218.49292 - 1));
  EXPECT_EQ(result.metrics.at("selected"), 5);
  EXPECT_NEAR(result.metrics.at("base_loss"), 2.607493, 1e-6);
  EXPECT_NEAR(value(result.loss), 5.710791, 3e-3 * 5.710791);
  EXPECT_NEAR(value(gradient), 3218.49292, 3e-3 * 3218.49292);
  // The released code's formulas evaluated in float64 by PyTorch.
  EXPECT_NEAR(value(result.loss), 5.7105001232, 1e-7);
  EXPECT_NEAR(value(gradient), 3219.2778414, 1e-4);
}

TEST(NamidLoss, GradientMatchesFiniteDifferences) {
  const Linear toy(6);
  const auto estimators = small_estimators();
  for (const auto cosine :
       {mi::Cosine::batch, mi::Cosine::centred, mi::Cosine::locations, mi::Cosine::l1})
    for (const auto mask : {mi::DvMask::exclude, mi::DvMask::multiply}) {
      const NamidOptions options{
          .lambda_clamp = LambdaClamp::off, .cosine = cosine, .dv_mask = mask};
      // Along a line through the weights: a scalar argument keeps the number of forwards small.
      const auto direction = wave({10, 192}, 0.9);
      const auto f = [&](const at::Tensor& t) {
        return toy
            .loss(toy.weight + t[0] * direction + t[1] * direction.roll(1), options, estimators)
            .loss;
      };
      const auto origin = at::zeros({2}, at::kDouble);
      const double scale = std::abs(value(f(origin + 1e-3) - f(origin)) / 1e-3);
      EXPECT_LT(gradient_error(f, origin, 1e-7), 1e-5 * std::max(1.0, scale))
          << to_string(cosine) << ' ' << to_string(mask);
    }
}

TEST(NamidLoss, IsTheSumOfItsTerms) {
  const Linear toy(6);
  const NamidOptions options{.alpha = 3, .lambda = 0.2, .lambda_clamp = LambdaClamp::off};
  const auto m = toy.loss(toy.weight, options).metrics;
  const double terms = m.at("cosine_natural") + m.at("cosine_adversarial") +
                       0.2 * (m.at("adversarial_score") - m.at("natural_score"));
  EXPECT_NEAR(m.at("mi_loss"), terms, 1e-12);
  EXPECT_NEAR(m.at("loss"), m.at("base_loss") + 3 * terms, 1e-12);
  EXPECT_EQ(m.at("accuracy"), 1);
  EXPECT_EQ(m.at("adversarial_accuracy"), 0.5);
  EXPECT_EQ(m.at("selected"), 3);
  EXPECT_EQ(m.at("mi_empty"), 0);
}

TEST(NamidLoss, ScoresAreThoseOfTheSelectedAdversarialSamples) {
  const Linear toy(6);
  const auto pair = small_estimators();
  const auto m = toy.loss(toy.weight, {}, pair).metrics;
  const auto output = Linear::logits(toy.weight, toy.x_adv);
  const auto expected = [&](const mi::Estimator& e, const at::Tensor& former) {
    const auto loss = e.loss(e.local_features(former), output).mean(1);
    return -value(loss[0] + loss[2] + loss[4]) / 3;
  };
  EXPECT_NEAR(m.at("natural_score"), expected(pair.natural, toy.x), 1e-12);
  EXPECT_NEAR(m.at("adversarial_score"), expected(pair.adversarial, toy.x_adv - toy.x), 1e-12);
}

TEST(NamidLoss, ClampCutsTheLambdaTermAndItsGradient) {
  const Linear toy(6);
  const double most = std::log(5.0);
  for (const double scale : {0.02, 1.0, -1.0, 30.0}) {  // scores inside, below and above
    auto w = (scale * toy.weight).requires_grad_();
    Linear moved = toy;
    moved.y = Linear::logits(w, toy.x).argmax(1);
    NamidOptions options{.alpha = 1, .lambda = 1};
    const auto off = [&] {
      options.lambda_clamp = LambdaClamp::off;
      return moved.loss(w, options).metrics;
    }();
    if (off.at("mi_empty") == 1) continue;
    const double n = off.at("natural_score"), a = off.at("adversarial_score");
    const auto check = [&](LambdaClamp kind, double cut_n, double cut_a) {
      options.lambda_clamp = kind;
      const auto result = moved.loss(w, options);
      const double cosines =
          result.metrics.at("cosine_natural") + result.metrics.at("cosine_adversarial");
      EXPECT_NEAR(result.metrics.at("mi_loss"), cosines + cut_a - cut_n, 1e-9);
      EXPECT_EQ(result.metrics.at("clamped"), ((cut_n != n) + (cut_a != a)) / 2.0);
    };
    check(LambdaClamp::both, std::clamp(n, 0.0, most), std::clamp(a, 0.0, most));
    check(LambdaClamp::one_sided, std::min(n, most), std::max(a, 0.0));
    check(LambdaClamp::off, n, a);
  }
}

TEST(NamidLoss, ClampedTermsGiveNoGradient) {
  const Linear toy(6);
  auto w = toy.weight.clone().requires_grad_();
  const auto gradient = [&](const NamidOptions& options) {
    const auto result = toy.loss(w, options);
    return std::pair{torch::autograd::grad({result.loss}, {w})[0], result.metrics};
  };
  const auto [clamped, metrics] = gradient({.lambda = 2, .adversarial_term = false});
  const auto [without, unused] = gradient({.lambda = 0, .adversarial_term = false});
  const auto [unclamped, off] =
      gradient({.lambda = 2, .lambda_clamp = LambdaClamp::off, .adversarial_term = false});
  ASSERT_EQ(metrics.at("clamped"), 1)
      << metrics.at("natural_score") << ' ' << metrics.at("adversarial_score");
  EXPECT_LT(deviation(clamped, without), 1e-12);
  EXPECT_GT(deviation(unclamped, without), 1e-3);
  EXPECT_EQ(off.at("clamped"), 0);
  EXPECT_FALSE(unused.contains("clamped"));
}

TEST(NamidLoss, AblationsDropATermAndItsEstimator) {
  const Linear toy(6);
  auto pair = small_estimators();
  const auto full = toy.loss(toy.weight, {.lambda_clamp = LambdaClamp::off}, pair).metrics;
  const auto only_natural =
      toy.loss(toy.weight, {.lambda_clamp = LambdaClamp::off, .adversarial_term = false},
               {pair.natural, {}, pair.info});
  const auto only_adversarial =
      toy.loss(toy.weight, {.lambda_clamp = LambdaClamp::off, .natural_term = false},
               {{}, pair.adversarial, pair.info});
  EXPECT_NEAR(only_natural.metrics.at("mi_loss"),
              full.at("cosine_natural") - 0.1 * full.at("natural_score"), 1e-12);
  EXPECT_NEAR(only_adversarial.metrics.at("mi_loss"),
              full.at("cosine_adversarial") + 0.1 * full.at("adversarial_score"), 1e-12);
  EXPECT_FALSE(only_natural.metrics.contains("cosine_adversarial"));
  const auto neither =
      toy.loss(toy.weight, {.natural_term = false, .adversarial_term = false}, {{}, {}, pair.info});
  EXPECT_EQ(value(neither.loss), neither.metrics.at("base_loss"));
}

TEST(NamidLoss, IsTheBaseLossWhereNothingIsSelected) {
  Linear toy(6);
  toy.x_adv = toy.x;
  auto w = toy.weight.clone().requires_grad_();
  const auto result = toy.loss(w);
  EXPECT_EQ(value(result.loss), value(at::cross_entropy_loss(Linear::logits(w, toy.x), toy.y)));
  EXPECT_EQ(result.metrics.at("mi_empty"), 1);
  EXPECT_EQ(result.metrics.at("mi_loss"), 0);
  EXPECT_TRUE(torch::autograd::grad({result.loss}, {w})[0].isfinite().all().item<bool>());
}

TEST(NamidLoss, OneSelectedSampleHasNoCosineButItsLambdaTerm) {
  Linear toy(6);
  for (const int i : {2, 4}) toy.x_adv[i] = toy.x[i];
  const auto m = toy.loss(toy.weight, {.lambda_clamp = LambdaClamp::off}).metrics;
  EXPECT_EQ(m.at("selected"), 1);
  EXPECT_EQ(m.at("mi_single"), 1);
  EXPECT_EQ(m.at("cosine_natural"), 0);
  EXPECT_EQ(m.at("cosine_adversarial"), 0);
  EXPECT_NEAR(m.at("mi_loss"), 0.1 * (m.at("adversarial_score") - m.at("natural_score")), 1e-12);
}

TEST(NamidLoss, DoesNotDependOnTheOrderOfTheBatch) {
  Linear toy(6);
  const double before = value(toy.loss(toy.weight).loss);
  const auto order = torch::tensor({3, 0, 5, 4, 2, 1});
  for (auto* t : {&toy.x, &toy.x_adv, &toy.y}) *t = t->index_select(0, order);
  EXPECT_NEAR(value(toy.loss(toy.weight).loss), before, 1e-10);
}

TEST(NamidLoss, RefusesEstimatorsThatAreMissingOrNotFrozen) {
  const Linear toy(4);
  auto pair = small_estimators();
  EXPECT_THROW(toy.loss(toy.weight, {}, {pair.natural, {}, pair.info}), OptionError);
  pair.adversarial.train();
  EXPECT_THROW(toy.loss(toy.weight, {}, pair), OptionError);
  pair.adversarial.freeze();
  EXPECT_THROW(toy.loss(toy.weight, {.alpha = -1}, pair), OptionError);
}

}  // namespace
}  // namespace namid::defenses
