// SPDX-License-Identifier: Apache-2.0
// Losses of the baselines on logits alone, against the values of the released code.
#include <gtest/gtest.h>

#include "namid/defenses/mart.h"
#include "namid/defenses/mma.h"
#include "namid/defenses/mma_reference.h"
#include "namid/defenses/trades.h"
#include "namid/mi/cosine.h"
#include "namid/mi/selection.h"
#include "support/waves.h"

namespace namid::defenses {
namespace {

using testing::gradient_error;
using testing::value;
using testing::wave;

at::Tensor table(std::vector<double> values, std::int64_t columns) {
  return torch::tensor(values, at::kDouble).view({-1, columns});
}
/// Four samples, three classes.
struct Logits {
  at::Tensor natural = table({2, .5, -1, .1, .3, .2, -.5, 1.5, 1, 0, -2, .7}, 3);
  at::Tensor adversarial = table({.4, .9, -.2, .3, .1, .6, -.2, .8, 1.1, 1, -1, .2}, 3);
  at::Tensor y = torch::tensor({0, 1, 1, 2});
};

/// One unit of the last printed digit.
void expect_printed(const char* name, double got, double printed) {
  std::printf("%s: deviation %.1e\n", name, std::abs(got - printed));
  EXPECT_NEAR(got, printed, 1e-8) << name;
}

TEST(GoldenLosses, MartTradesAndMma) {
  const Logits z;
  const auto mart = [&](double beta) {
    return value(mart_loss(z.natural, z.adversarial, z.y, beta));
  };
  const auto trades = [&](double beta) {
    return value(trades_loss(z.natural, z.adversarial, z.y, beta));
  };
  expect_printed("MART, beta 6", mart(6), 2.3220382);
  expect_printed("MART, beta 1", mart(1), 1.99922638);
  expect_printed("TRADES, natural part", trades(0), 0.56133099);
  expect_printed("TRADES, robust part", trades(1) - trades(0), 0.21735774);
  expect_printed("MMA of the released code",
                 value(mma_reference_loss(z.natural, z.adversarial, z.y)), 1.19395967);
}

TEST(GoldenLosses, SelectionAndCosine) {
  const Logits z;
  const auto labels = [](const at::Tensor& logits, mi::SelectionRule rule) {
    const auto found = mi::predicted_labels(logits, rule);
    return std::vector<std::int64_t>(found.data_ptr<std::int64_t>(),
                                     found.data_ptr<std::int64_t>() + found.numel());
  };
  using Labels = std::vector<std::int64_t>;
  constexpr auto kArgmax = mi::SelectionRule::argmax, kSoftmax = mi::SelectionRule::batch_softmax;
  EXPECT_EQ(labels(z.natural, kArgmax), (Labels{0, 1, 1, 2}));
  EXPECT_EQ(labels(z.adversarial, kArgmax), (Labels{1, 2, 2, 0}));
  EXPECT_EQ(labels(z.natural, kSoftmax), (Labels{0, 2, 1, 2}));
  EXPECT_EQ(labels(z.adversarial, kSoftmax), (Labels{1, 2, 2, 0}));
  const auto selected = mi::select(z.natural, z.adversarial, z.y, kSoftmax);
  EXPECT_TRUE(at::equal(selected, torch::tensor({true, false, true, true})));
  const auto a = table({-1, -.5, 0, -.1}, 1), b = table({-.3, -.8, 0, -.2}, 1);
  const auto all = at::ones({4}, at::kBool);
  expect_printed("1 - cosine", value(mi::cosine_loss(a, b, all)), 0.26902612);
}

TEST(TradesLoss, IsCrossEntropyWhereBothPredictionsAgree) {
  const Logits z;
  EXPECT_NEAR(value(trades_loss(z.natural, z.natural, z.y, 6)),
              value(at::cross_entropy_loss(z.natural, z.y)), 1e-15);
  EXPECT_GT(value(trades_loss(z.natural, z.adversarial, z.y, 6)),
            value(at::cross_entropy_loss(z.natural, z.y)));
}

TEST(MartLoss, ListsItsTermsSampleBySample) {
  const Logits z;
  double expected = 0;
  for (int i = 0; i < 4; ++i) {
    const auto p = z.natural[i].softmax(0), q = z.adversarial[i].softmax(0);
    const auto y = z.y[i].item<std::int64_t>();
    double wrong = 0, kl = 0;
    for (int c = 0; c < 3; ++c) {
      if (c != y) wrong = std::max(wrong, value(q[c]));
      kl += value(p[c]) * (std::log(value(p[c])) - std::log(value(q[c]) + 1e-12));
    }
    expected += -std::log(value(q[y])) - std::log(1.0001 - wrong + 1e-12) +
                6 * kl * (1.0000001 - value(p[y]));
  }
  EXPECT_NEAR(value(mart_loss(z.natural, z.adversarial, z.y, 6)), expected / 4, 1e-14);
}

TEST(MartLoss, IsFiniteForCertainPredictions) {
  const auto certain = table({200, 0, 0, 0, 0, 200}, 3).to(at::kFloat).requires_grad_();
  for (const auto& y : {torch::tensor({0, 2}), torch::tensor({1, 1})}) {
    const auto loss = mart_loss(certain, -certain, y, 6);
    EXPECT_TRUE(loss.isfinite().item<bool>());
    EXPECT_TRUE(torch::autograd::grad({loss}, {certain})[0].isfinite().all().item<bool>());
  }
}

TEST(MmaReferenceLoss, TakesTheAdversarialImageOfTheOnesThatAreRight) {
  const Logits z;
  const auto wrong = torch::tensor({1, 0, 0, 1});
  EXPECT_NEAR(value(mma_reference_loss(z.natural, z.adversarial, z.y)),
              value(at::cross_entropy_loss(z.adversarial, z.y)), 1e-15);
  EXPECT_NEAR(value(mma_reference_loss(z.natural, z.adversarial, wrong)),
              value(at::cross_entropy_loss(z.natural, wrong)), 1e-15);
}

TEST(BaseLosses, GradientsFlowIntoBothPredictions) {
  const Logits z;
  for (const auto& base : {trades_base(), mart_base({.beta = 2}), mma_reference_base()}) {
    auto y = z.y.clone();
    y[1] = 0;  // one sample that is wrong on the natural image
    const auto of_natural = [&](const at::Tensor& t) { return base.loss(t, z.adversarial, y); };
    const auto of_adversarial = [&](const at::Tensor& t) { return base.loss(z.natural, t, y); };
    EXPECT_LT(gradient_error(of_natural, z.natural), 1e-8);
    EXPECT_LT(gradient_error(of_adversarial, z.adversarial), 1e-8);
    const auto natural = z.natural.clone().requires_grad_();
    EXPECT_GT(value(torch::autograd::grad({of_natural(natural)}, {natural})[0].abs().sum()), 1e-3);
  }
}

TEST(BaseLosses, RefuseOptionsOutOfRange) {
  EXPECT_THROW(trades_base({.beta = -1}), OptionError);
  EXPECT_THROW(mart_base({.beta = std::nan("")}), OptionError);
}

TEST(BaseLosses, RefuseToClimbAnotherLossThanTheirs) {
  PgdOptions attack{.loss = attacks::AttackLoss::margin};
  EXPECT_THROW(attack_for(attacks::AttackLoss::kl, attack), OptionError);
  EXPECT_EQ(attack_for(attacks::AttackLoss::cross_entropy, attack).loss,
            attacks::AttackLoss::margin);
  EXPECT_EQ(attack_for(attacks::AttackLoss::kl, {}).loss, attacks::AttackLoss::kl);
}

TEST(MmaLoss, WeighsBoundaryAndCleanLosses) {
  // Samples: right within reach, right beyond d_max, wrong, right by less than the others together.
  const auto natural = table({3, 0, 0, 3, 0, 0, 0, 3, 0, .6, 0, .3}, 3);
  const auto adversarial = table({0, 1, 0, 0, 2, 0, 0, 3, 0, .6, 0, .3}, 3);
  const auto y = torch::tensor({0, 0, 0, 0});
  const auto margins = torch::tensor({.1, .5, 0., 0.}, at::kDouble);
  const auto ce = [&](const at::Tensor& z, int i) {
    return value(at::cross_entropy_loss(z.slice(0, i, i + 1), y.slice(0, i, i + 1)));
  };
  const double boundary = (ce(adversarial, 0) + ce(natural, 2) + ce(natural, 3)) / 4;
  const double clean = value(at::cross_entropy_loss(natural, y));
  const auto loss = [&](double weight) {
    return value(mma_loss(natural, adversarial, y, margins, .4, weight));
  };
  EXPECT_NEAR(loss(0), boundary, 1e-15);
  EXPECT_NEAR(loss(1), clean, 1e-15);
  EXPECT_NEAR(loss(1.0 / 3), 2 * boundary / 3 + clean / 3, 1e-15);
}

}  // namespace
}  // namespace namid::defenses
