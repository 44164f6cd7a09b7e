// SPDX-License-Identifier: Apache-2.0
// The released code's forms of Eq. 4 and Eq. 5, and objectives with one pair of nets.
#include <gtest/gtest.h>

#include "support/estimation_batches.h"

namespace namid::mi {
namespace {

using testing::batch_of;
using testing::deviation;
using testing::small_estimators;
using testing::value;
using testing::wave;
using testing::without_selected;

constexpr EstimationRules kReleased{.contrast = Contrast::cosine,
                                    .bn_updates = BnUpdates::reference};

EstimationBatch without_right(EstimationBatch batch) {  // every sample is right on x alone
  const auto wrong = (batch.y + 1).remainder(10);
  batch.logits_adversarial = 9 * at::one_hot(wrong, 10).to(at::kDouble);
  return batch;
}
EstimationBatch all_wrong(EstimationBatch batch) {
  batch.y = (batch.y + 1).remainder(10);
  batch.logits_adversarial = batch.logits_natural;
  return batch;
}

/// ℓ of a frozen pair on a batch, per sample.
struct Known {
  explicit Known(const EstimatorPair& pair, const EstimationBatch& b) {
    const auto loss = [](const Estimator& e, const at::Tensor& former, const at::Tensor& output) {
      return e.loss(e.local_features(former), output).mean(1);
    };
    nn = loss(pair.natural, b.x, b.output_natural);
    na = loss(pair.natural, b.x, b.output_adversarial);
    aa = loss(pair.adversarial, b.x_adv - b.x, b.output_adversarial);
    an = loss(pair.adversarial, b.x_adv - b.x, b.output_natural);
  }
  at::Tensor nn, na, aa, an;
};

/// A cosine over the samples of a 0/1 mask, whose losses are multiplied by it.
double cosine(const at::Tensor& a, const at::Tensor& b, const at::Tensor& mask) {
  const auto p = a * mask, q = b * mask;
  return value((p * q).sum()) / (value(p.norm()) * value(q.norm()));
}

TEST(ReleasedContrast, IsTheSumOfItsPartsWithTheirWeights) {
  const auto pair = small_estimators();
  const auto batch = batch_of(10);
  const auto result = estimation_loss(pair, batch, kReleased);
  const Known l(pair, batch);
  const auto wrong =
      select(batch.logits_natural, batch.logits_adversarial, batch.y).to(at::kDouble);
  const auto right = 1 - wrong;  // all ten are right on x
  const auto sum = [](const at::Tensor& loss, const at::Tensor& mask) {
    return value((loss * mask).sum());
  };
  const double w = 5 * std::abs(cosine(l.nn, l.na, wrong)) + sum(l.nn, wrong) / 10;
  const double r = 5 * std::abs(1 - cosine(l.nn, l.na, right)) + sum(l.nn, right) / 10;
  EXPECT_NEAR(value(result.natural), w + 0.5 * r, 1e-10);
  const double mw = 5 * std::abs(cosine(l.aa, l.an, wrong)) + sum(l.aa, wrong) / 5;
  const double mr = 8 * std::abs(1 - cosine(l.an, l.aa, right)) - 0.1 * sum(l.aa, right) / 5;
  EXPECT_NEAR(value(result.adversarial), mw + 0.5 * mr, 1e-10);
  EXPECT_NEAR(result.metrics.at("natural_score"), -sum(l.nn, wrong) / 5, 1e-12);
  EXPECT_EQ(result.metrics.at("selected"), 5);
  EXPECT_EQ(result.metrics.at("right"), 5);
}

TEST(ReleasedContrast, LeavesOutAnEmptySet) {
  const auto pair = small_estimators();
  const auto batch = without_selected(batch_of(6));
  const auto result = estimation_loss(pair, batch, kReleased);
  const Known l(pair, batch);
  const auto all = at::ones({6}, at::kDouble);
  EXPECT_NEAR(value(result.natural),
              0.5 * (5 * std::abs(1 - cosine(l.nn, l.na, all)) + value(l.nn.mean())), 1e-10);
  EXPECT_NEAR(value(result.adversarial),
              0.5 * (8 * std::abs(1 - cosine(l.an, l.aa, all)) - 0.1 * value(l.aa.mean())), 1e-10);
  EXPECT_EQ(result.metrics.count("natural_score"), 0U) << "no score was raised";
}

TEST(ReleasedContrast, IsEquationFourWhereNoNaturalImageIsRight) {
  const auto pair = small_estimators();
  const auto batch = all_wrong(batch_of(6));
  const auto result = estimation_loss(pair, batch, kReleased);
  const Known l(pair, batch);
  EXPECT_NEAR(value(result.natural), value(l.nn.mean()), 1e-12);
  EXPECT_NEAR(value(result.adversarial), value(l.aa.mean()), 1e-12);
}

std::int64_t batches(const Estimator& e, const std::string& net) {
  return find_tensor(e.state_dict(), net + ".block_nonlinear.1.num_batches_tracked").item<int>();
}

TEST(ReleasedContrast, MovesBatchNormAsOftenAsItsTermsNameALoss) {
  struct Case {
    EstimationBatch batch;
    std::int64_t natural, adversarial;
  };
  for (const auto& [batch, natural, adversarial] : {Case{batch_of(8), 6, 4},
                                                    {without_selected(batch_of(8)), 3, 2},
                                                    {without_right(batch_of(8)), 3, 2},
                                                    {all_wrong(batch_of(8)), 1, 1}}) {
    const auto pair = small_estimators();
    pair.natural.train();
    pair.adversarial.train();
    estimation_loss(pair, batch, kReleased);
    for (const std::string net : {"local", "global"}) {
      EXPECT_EQ(batches(pair.natural, net), natural) << net;
      EXPECT_EQ(batches(pair.adversarial, net), adversarial) << net;
    }
  }
}

TEST(ReleasedContrast, LeavesTheStatisticsOfOneForwardPerTermInOrder) {
  const auto pair = small_estimators(), plain = pair.clone();
  for (const auto& p : {pair, plain}) {
    p.natural.train();
    p.adversarial.train();
  }
  const auto batch = batch_of(8);
  const auto once = estimation_loss(pair.clone(), batch, {.contrast = Contrast::cosine});
  const auto result = estimation_loss(pair, batch, kReleased);
  EXPECT_EQ(value(once.natural), value(result.natural)) << "only the statistics differ";
  const auto forward = [&](const Estimator& e, const at::Tensor& former, const at::Tensor& output) {
    e.loss(e.local_features(former), output);
  };
  for (int set = 0; set < 2; ++set)
    for (const auto* output :
         {&batch.output_natural, &batch.output_adversarial, &batch.output_natural})
      forward(plain.natural, batch.x, *output);
  for (const auto* output : {&batch.output_adversarial, &batch.output_natural,
                             &batch.output_natural, &batch.output_adversarial})
    forward(plain.adversarial, batch.x_adv - batch.x, *output);
  const auto same = [](const Estimator& a, const Estimator& b) {
    const auto p = a.state_dict(), q = b.state_dict();
    for (std::size_t i = 0; i < p.size(); ++i)
      EXPECT_TRUE(at::equal(p[i].second, q[i].second)) << p[i].first;
  };
  same(pair.natural, plain.natural);
  same(pair.adversarial, plain.adversarial);
}

TEST(EquationFourFilter, TakesTheReleasedSamplesOrAllWhereThereAreNone) {
  const auto pair = small_estimators();
  constexpr EstimationRules kFiltered{.objective = EstimationObjective::separate,
                                      .select_eq4 = SelectEq4::reference};
  auto batch = batch_of(6);
  batch.y = batch.y.clone();
  batch.y[0] = (batch.y[0] + 1).remainder(10);  // wrong on x; on x_adv it becomes right
  const auto result = estimation_loss(pair, batch, kFiltered);
  const Known l(pair, batch);
  EXPECT_NEAR(value(result.natural), value(l.nn.slice(0, 1).mean()), 1e-12);
  EXPECT_NEAR(value(result.adversarial), (value(l.aa[2]) + value(l.aa[4])) / 2, 1e-12);
  const auto wrong = all_wrong(batch_of(6));
  EXPECT_NEAR(value(estimation_loss(pair, wrong, kFiltered).natural),
              value(Known(pair, wrong).nn.mean()), 1e-12);
  const auto right = without_selected(batch_of(6));
  EXPECT_NEAR(value(estimation_loss(pair, right, kFiltered).adversarial),
              value(Known(pair, right).aa.mean()), 1e-12);
}

EstimatorPair one_pair(const std::string& objective) {
  auto pair = small_estimators();
  pair.adversarial = {};
  pair.info.objective = objective;
  return pair;
}

TEST(OnePairOfNets, StandardScoresTheAdversarialImageWithItsOwnOutput) {
  const auto pair = one_pair("standard");
  const auto batch = batch_of(6);
  const auto result = estimation_loss(pair, batch, {.objective = EstimationObjective::standard});
  const auto& nets = pair.natural;
  const double loss =
      value(nets.loss(nets.local_features(batch.x_adv), batch.output_adversarial).mean());
  EXPECT_NEAR(value(result.natural), loss, 1e-12);
  EXPECT_FALSE(result.adversarial.defined());
  EXPECT_NEAR(result.metrics.at("standard_score"), -loss, 1e-12);
  const auto scores = mean_scores(pair, batch);
  EXPECT_NEAR(scores.at("standard_on_adversarial"), -loss, 1e-12);
  EXPECT_EQ(scores.count("adversarial_on_adversarial"), 0U);
}

TEST(OnePairOfNets, NaturalNeedsNothingAdversarial) {
  const auto pair = one_pair("natural");
  auto batch = batch_of(6);
  for (auto* t : {&batch.x_adv, &batch.output_adversarial, &batch.logits_adversarial})
    *t = at::Tensor();
  const auto result = estimation_loss(pair, batch, {.objective = EstimationObjective::natural});
  const auto& nets = pair.natural;
  const double loss = value(nets.loss(nets.local_features(batch.x), batch.output_natural).mean());
  EXPECT_NEAR(value(result.natural), loss, 1e-12);
  EXPECT_EQ(result.metrics.size(), 1U);
  for (auto* t : {&batch.x, &batch.output_natural, &batch.logits_natural, &batch.y})
    *t = t->slice(0, 0, 1);
  EXPECT_FALSE(
      estimation_loss(pair, batch, {.objective = EstimationObjective::natural}).natural.defined());
}

TEST(MeanScores, CoverTheRightSamplesToo) {
  const auto pair = small_estimators();
  const auto batch = batch_of(6);
  const auto scores = mean_scores(pair, batch);
  const Known l(pair, batch);
  EXPECT_NEAR(scores.at("natural_on_adversarial_right"),
              -(value(l.na[1]) + value(l.na[3]) + value(l.na[5])) / 3, 1e-12);
  EXPECT_EQ(scores.at("right"), 3);
}

}  // namespace
}  // namespace namid::mi
