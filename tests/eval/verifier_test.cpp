// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/verifier.h"

#include <cmath>
#include <limits>

#include "eval/toy.h"
#include "namid/core/error.h"

namespace namid::eval {
namespace {

using attacks::Budget;
using attacks::Norm;

constexpr double kVerifiedEpsilon = 0.125;

struct Toy {
  models::Classifier model = toy_model();
  data::Dataset dataset = toy_data(8);
  at::Tensor x = dataset.images.to(at::kFloat) / 255;
  at::Tensor y = dataset.labels;
  std::vector<Verdict> check(const at::Tensor& x_adv, Norm norm = Norm::linf,
                             double epsilon = kVerifiedEpsilon) const {
    return verify(model, x, x_adv, y, {norm, epsilon});
  }
  at::Tensor moved(double first_pixel) const {
    auto out = x.clone();
    out.select(1, 0).select(1, 0).select(1, 0).add_(first_pixel);
    return out;
  }
};

TEST(Verifier, MeasuresNormsInFloat64) {
  const Toy toy;
  const auto verdicts = toy.check(toy.x + 0.0625);
  for (const auto& verdict : verdicts) {
    EXPECT_NEAR(verdict.linf, 0.0625, 1e-7);
    EXPECT_NEAR(verdict.l2, 0.0625 * std::sqrt(6.0), 1e-7);
    EXPECT_TRUE(verdict.in_ball && verdict.in_box && verdict.finite);
  }
  const auto wide = at::zeros({1, 1, 512, 512});
  const models::Classifier any([](const at::Tensor& v) { return v.flatten(1).narrow(1, 0, 2); },
                               {.name = "wide", .num_classes = 2, .input_shape = {1, 512, 512}});
  const auto tiny = verify(any, wide, wide + 1e-3, at::zeros({1}, at::kLong), {Norm::l2, 1});
  EXPECT_NEAR(tiny[0].l2, 512 * double{1e-3f}, 1e-10);
}

TEST(Verifier, AllowsTheBallsEdgeAndNothingBeyond) {
  const Toy toy;
  EXPECT_TRUE(toy.check(toy.moved(kVerifiedEpsilon))[0].in_ball);
  EXPECT_FALSE(toy.check(toy.moved(kVerifiedEpsilon + 1e-3))[0].in_ball);
  EXPECT_FALSE(toy.check(toy.moved(kVerifiedEpsilon + 4e-6))[0].in_ball);
  EXPECT_TRUE(toy.check(toy.moved(kVerifiedEpsilon), Norm::l2)[0].in_ball);
  EXPECT_FALSE(toy.check(toy.moved(kVerifiedEpsilon + 1e-3), Norm::l2)[0].in_ball);
  EXPECT_TRUE(toy.check(toy.x, Norm::l2, 0)[0].in_ball);
  EXPECT_FALSE(toy.check(toy.moved(1e-6), Norm::l2, 0)[0].in_ball);
}

TEST(Verifier, KnowsNoToleranceForTheBox) {
  const Toy toy;
  auto x_adv = toy.x.clone();
  x_adv[0].fill_(1.0f);
  x_adv[1].fill_(std::nextafter(1.0f, 2.0f));
  x_adv[2].fill_(-1e-7f);
  x_adv[3].fill_(0.0f);
  const auto verdicts = toy.check(x_adv, Norm::linf, 1);
  EXPECT_TRUE(verdicts[0].in_box);
  EXPECT_FALSE(verdicts[1].in_box);
  EXPECT_FALSE(verdicts[2].in_box);
  EXPECT_TRUE(verdicts[3].in_box);
  EXPECT_FALSE(verdicts[1].broken() || verdicts[2].broken());
}

TEST(Verifier, CatchesNaNInOneImageAlone) {
  const Toy toy;
  auto x_adv = toy.x.clone();
  x_adv[2][0][1][1] = std::numeric_limits<float>::quiet_NaN();
  const auto verdicts = toy.check(x_adv);
  for (std::size_t i = 0; i < verdicts.size(); ++i) EXPECT_EQ(verdicts[i].finite, i != 2);
  EXPECT_FALSE(verdicts[2].in_box);
  EXPECT_FALSE(verdicts[2].broken());
}

TEST(Verifier, JudgesSuccessByItsOwnForward) {
  const Toy toy;
  const auto clean = toy.check(toy.x);
  const auto z = toy.model(toy.x);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const auto label = toy.y[row].item<std::int64_t>();
    const double margin = z[row][label].item<double>() - z[row][1 - label].item<double>();
    EXPECT_FLOAT_EQ(clean[i].reading.margin, margin);
    EXPECT_EQ(clean[i].misclassified, margin < 0);
    EXPECT_EQ(clean[i].broken(), margin < 0);
  }
}

TEST(Verifier, ReadsTheFirstOfEqualLogits) {
  const auto logits = at::tensor({1.f, 3.f, 3.f, 2.f, 0.f, 1.f}, at::kFloat).view({2, 3});
  const auto readings = read_logits(logits, at::tensor({2, 0}, at::kLong));
  EXPECT_EQ(readings[0].prediction, 1);
  EXPECT_EQ(readings[0].margin, 0);
  EXPECT_EQ(readings[1].prediction, 0);
  EXPECT_EQ(readings[1].margin, 1);
}

/// Says for three images, call after call, what `said` holds: the class of the largest logit, 2.
models::Classifier saying(const std::vector<std::vector<std::int64_t>>& said, int& calls) {
  return models::Classifier(
      [said, &calls](const at::Tensor& x) {
        auto logits = at::zeros({x.size(0), 3});
        const auto& now = said[static_cast<std::size_t>(calls++) % said.size()];
        for (std::size_t i = 0; i < now.size(); ++i)
          logits[static_cast<std::int64_t>(i)][now[i]] = 2;
        return logits;
      },
      {.name = "saying", .num_classes = 3, .input_shape = {1}});
}

TEST(Verifier, TheMajorityOfTheDrawsDecidesAndMarginsAreMeans) {
  int calls = 0;
  const auto model = saying({{0, 1, 2}, {0, 0, 2}, {1, 0, 0}, {1, 0, 1}, {0, 2, 0}}, calls);
  const auto x = at::full({3, 1}, 0.5);
  const auto y = at::zeros({3}, at::kLong);
  const auto readings = read_model(model, x, y, 5);
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(readings[0].prediction, 0) << "three of five, the last draw among them";
  EXPECT_EQ(readings[1].prediction, 0) << "three of five, neither the first nor the last";
  EXPECT_EQ(readings[2].prediction, 0) << "two against two: the lowest class";
  EXPECT_DOUBLE_EQ(readings[0].margin, (3 * 2 - 2 * 2) / 5.0);
  EXPECT_DOUBLE_EQ(readings[2].margin, (2 * 2 - 3 * 2) / 5.0);
}

TEST(VerifierPitfalls, OneLuckyDrawIsNoSuccess) {
  int calls = 0;
  const auto model = saying({{1}, {0}, {0}}, calls);
  const auto x = at::full({1, 1}, 0.5);
  const auto y = at::zeros({1}, at::kLong);
  EXPECT_TRUE(verify(model, x, x, y, {Norm::linf, 0.1})[0].broken()) << "the first draw alone";
  calls = 0;
  EXPECT_FALSE(verify(model, x, x, y, {Norm::linf, 0.1}, 3)[0].broken());
}

TEST(Verifier, SaysTheFirstReasonAgainstAnImageWithItsFigure) {
  const Toy toy;
  const Budget budget{Norm::linf, kVerifiedEpsilon};
  const auto reason = [&](const at::Tensor& x_adv, std::size_t row) {
    const auto verdict = verify(toy.model, toy.x, x_adv, toy.y, budget)[row];
    return std::pair{verdict.refusal(), refusal_text(verdict, budget)};
  };
  const auto fooled = strongest(toy.x, toy.y, kVerifiedEpsilon);
  const auto verdicts = toy.check(fooled);
  const auto broken = std::find_if(verdicts.begin(), verdicts.end(),
                                   [](const Verdict& verdict) { return verdict.broken(); });
  ASSERT_NE(broken, verdicts.end());
  const auto row = static_cast<std::size_t>(broken - verdicts.begin());
  EXPECT_EQ(reason(fooled, row), (std::pair{Refusal::none, std::string()}));
  EXPECT_EQ(reason(toy.moved(kVerifiedEpsilon + 1e-3), 0),
            (std::pair{Refusal::outside_ball,
                       std::string("outside the ball: linf 0.126 exceeds 0.125 by 0.001")}));
  auto x_adv = toy.x.clone();
  x_adv[1][0][0][0] = 1.25f;
  EXPECT_EQ(verify(toy.model, toy.x, x_adv, toy.y, {Norm::linf, 1})[1].refusal(),
            Refusal::outside_box);
  EXPECT_EQ(verify(toy.model, toy.x, x_adv, toy.y, {Norm::linf, 1})[1].beyond_box, 0.25);
  x_adv[1][0][0][0] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(reason(x_adv, 1).first, Refusal::not_finite);
  const auto clean = toy.check(toy.x);
  for (std::size_t i = 0; i < clean.size(); ++i)
    EXPECT_EQ(clean[i].refusal(),
              clean[i].misclassified ? Refusal::none : Refusal::not_misclassified);
}

// A published benchmark measures max(x − x_adv), so that points above x count as near.
TEST(VerifierPitfalls, LinfIsOfTheAbsoluteDifferenceBothWays) {
  const Toy toy;
  for (const double sign : {1.0, -1.0}) {
    const auto verdict = toy.check(toy.moved(sign * 2 * kVerifiedEpsilon))[0];
    EXPECT_NEAR(verdict.linf, 2 * kVerifiedEpsilon, 1e-7);
    EXPECT_EQ(verdict.refusal(), Refusal::outside_ball) << sign;
    EXPECT_TRUE(toy.check(toy.moved(sign * kVerifiedEpsilon))[0].in_ball) << sign;
  }
}

TEST(Verifier, LeavesTheModelsModeAsItWas) {
  const Toy toy;
  toy.model.train();
  toy.check(toy.x);
  EXPECT_TRUE(toy.model.is_training());
}

TEST(Verifier, RefusesAnotherShapeOrType) {
  const Toy toy;
  EXPECT_THROW(toy.check(toy.x.narrow(0, 0, 3)), DataError);
  EXPECT_THROW(toy.check(toy.x.to(at::kDouble)), DataError);
  EXPECT_THROW(toy.check({}), DataError);
}

}  // namespace
}  // namespace namid::eval
