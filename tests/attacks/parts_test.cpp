// SPDX-License-Identifier: Apache-2.0
#include "attacks/toy.h"
#include "namid/attacks/best.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"
#include "namid/attacks/start.h"
#include "namid/attacks/steps.h"

namespace namid::attacks {
namespace {

TEST(Losses, MatchTheirDefinitions) {
  const auto z = at::tensor({2.0f, 0.5f, -1.0f, 0.1f, 0.3f, 0.2f}).view({2, 3});
  const auto y = at::tensor({0, 2}, at::kLong);
  const auto cross_entropy = attack_loss(AttackLoss::cross_entropy, z, y);
  EXPECT_NEAR(cross_entropy[0].item<double>(), std::log(1 + std::exp(-1.5) + std::exp(-3)), 1e-6);
  const auto margin = attack_loss(AttackLoss::margin, z, y);
  EXPECT_NEAR(margin[0].item<double>(), -1.5, 1e-6);
  EXPECT_NEAR(margin[1].item<double>(), 0.1, 1e-6);
  const auto tie = attack_loss(AttackLoss::margin, at::zeros({1, 2}), at::ones({1}, at::kLong));
  EXPECT_EQ(tie.item<float>(), 0);
}

TEST(Losses, DlrIsMinusFourFifthsForTheGoldenLogits) {
  const auto z = at::tensor({3.0f, 1.0f, 0.5f, -1.0f}).view({1, 4});
  const auto y = at::zeros({1}, at::kLong);
  EXPECT_NEAR(attack_loss(AttackLoss::dlr, z, y).item<double>(), -0.8, 1e-6);
  // −(3 − 0.5) / (3 − (0.5 − 1) / 2)
  EXPECT_NEAR(dlr_targeted(z, y, y + 2).item<double>(), -2.5 / 3.25, 1e-6);
  EXPECT_NEAR(attack_loss(AttackLoss::dlr, 7 * z - 4, y).item<double>(), -0.8, 1e-6)
      << "neither shift nor scale matters";
}

TEST(Losses, DlrIsFiniteForTiedLogits) {
  const auto y = at::tensor({0, 1, 3}, at::kLong);
  auto z = at::zeros({3, 4});
  z[2] = at::tensor({5.0f, 5.0f, 5.0f, -2.0f});
  z.requires_grad_(true);
  const auto loss = attack_loss(AttackLoss::dlr, z, y) + dlr_targeted(z, y, (y + 1) % 4);
  loss.sum().backward();
  EXPECT_EQ(loss[0].item<float>(), 0);
  EXPECT_TRUE(at::isfinite(loss).all().item<bool>());
  EXPECT_TRUE(at::isfinite(z.grad()).all().item<bool>());
}

TEST(Losses, KlIsZeroAtTheSamePredictionAndMatchesItsDefinition) {
  const auto p = at::tensor({0.5f, 0.25f, 0.25f}).view({1, 3}), q = p.roll(1, 1);
  EXPECT_EQ(kl_from(p.log() + 3, p.log() + 3).item<float>(), 0);
  EXPECT_NEAR(kl_from(p.log(), q.log()).item<double>(), 0.25 * std::log(2), 1e-6);
  const auto sure = at::tensor({1e30f, -1e30f, 0.0f}).view({1, 3});
  EXPECT_EQ(kl_from(sure, sure).item<float>(), 0);
  EXPECT_NE(
      message_of([&] { attack_loss(AttackLoss::kl, p, at::zeros({1}, at::kLong)); }).find("clean"),
      std::string::npos);
}

TEST(Norms, AreThoseOfEachSample) {
  const auto batch = at::tensor({3.0f, -4.0f, 0.0f, 0.5f}).view({2, 1, 2});
  const auto linf = sample_norms(batch, Norm::linf), l2 = sample_norms(batch, Norm::l2);
  EXPECT_EQ(linf.scalar_type(), at::kDouble);
  EXPECT_EQ(linf[0].item<double>(), 4);
  EXPECT_EQ(l2[0].item<double>(), 5);
  EXPECT_EQ(l2[1].item<double>(), 0.5);
}

TEST(Norms, NeitherOverflowNorVanish) {
  EXPECT_NEAR(sample_norms(at::full({1, 4}, 1e30f), Norm::l2).item<double>() / 2e30, 1, 1e-6);
  EXPECT_NEAR(sample_norms(at::full({1, 4}, 1e-30f), Norm::l2).item<double>() / 2e-30, 1, 1e-6);
}

TEST(Steps, DirectionHasUnitLengthOrIsZero) {
  const auto gradient =
      at::stack({wave({5}, 1e25, 0.7, 0.1), at::zeros({5}), wave({5}, 1, 0.7, 0.1)});
  const auto sign = ascent(gradient, Norm::linf), unit = ascent(gradient, Norm::l2);
  EXPECT_TRUE(at::equal(sign[0], gradient[0].sign()));
  EXPECT_NEAR(unit[0].norm().item<double>(), 1, 1e-5);
  EXPECT_TRUE(at::allclose(unit[0], unit[2], 1e-5, 1e-6)) << "scale does not matter";
  const auto sparse = ascent(at::stack({wave({300}, 2, 0.7, 0.1), at::zeros({300})}), Norm::l1);
  EXPECT_EQ((sparse[0] != 0).sum().item<std::int64_t>(), 3);
  EXPECT_NEAR(sparse[0].abs().sum().item<double>(), 1, 1e-6);
  EXPECT_EQ(sparse[1].abs().max().item<float>(), 0);
  EXPECT_EQ(unit[1].abs().max().item<float>(), 0);
  EXPECT_EQ(sign[1].abs().max().item<float>(), 0);
}

TEST(Steps, InsideTheBoxOnlyEntriesThatCanMoveAreLeft) {
  const auto x = at::tensor({0.0f, 0.0f, 1.0f, 1.0f, 0.5f}).view({1, 5});
  const auto gradient = at::tensor({-5.0f, 4.0f, 3.0f, -2.0f, 1.0f}).view({1, 5});
  EXPECT_TRUE(at::equal(inside_box(gradient, x)[0], at::tensor({0.0f, 4.0f, 0.0f, -2.0f, 1.0f})));
}

TEST(Projection, LeavesInnerPointsAndScalesOuterOnes) {
  const auto x = at::full({2, 4}, 0.5f);
  const auto moved = at::tensor({0.51f, 0.5f, 0.5f, 0.5f, 0.9f, 0.1f, 0.5f, 0.5f}).view({2, 4});
  const auto linf = project(moved, x, {Norm::linf, 0.1});
  EXPECT_TRUE(same_bits(linf[0], moved[0]));
  EXPECT_TRUE(at::allclose(linf[1], at::tensor({0.6f, 0.4f, 0.5f, 0.5f})));
  const auto l2 = project(moved, x, {Norm::l2, 0.1});
  EXPECT_TRUE(at::allclose(l2[0], moved[0]));
  const float leg = static_cast<float>(0.1 / std::sqrt(2.0));
  EXPECT_TRUE(at::allclose(l2[1], at::tensor({0.5f + leg, 0.5f - leg, 0.5f, 0.5f})));
}

TEST(Projection, IsIdempotent) {
  const auto x = images(4, {3, 8, 8}), moved = x + wave({4, 3, 8, 8}, 0.3, 1.7);
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    const auto once = project(moved, x, {norm, 0.2});
    EXPECT_TRUE(at::allclose(project(once, x, {norm, 0.2}), once, 0, 1e-7));
  }
}

TEST(Projection, KeepsItsPromiseForTinyRadiiOfManyEntries) {
  const auto x = images(2, {3, 128, 128}, 0.5, 0.001);
  const auto moved = x + wave({2, 3, 128, 128}, 0.3, 1.7);
  for (const double epsilon : {1e-9, 1e-6, 1e-4, 1e-2, 0.5}) {
    const auto l2 = perturbation_norms(project(moved, x, {Norm::l2, epsilon}), x, Norm::l2);
    EXPECT_LE(l2.max().item<double>(), epsilon * (1 + 1e-5)) << epsilon;
    const auto l1 = perturbation_norms(project(moved, x, {Norm::l1, epsilon}), x, Norm::l1);
    EXPECT_LE(l1.max().item<double>(), epsilon * (1 + 1e-5)) << epsilon;
    if (epsilon >= 1e-2) {
      EXPECT_GE(l2.min().item<double>(), 0.8 * epsilon) << epsilon;
    }
    const auto linf = perturbation_norms(project(moved, x, {Norm::linf, epsilon}), x, Norm::linf);
    EXPECT_LE(linf.max().item<double>(), epsilon + 1e-7) << epsilon;
  }
}

TEST(Projection, L1WithBoxGivesTheGoldenValues) {
  const auto x = doubles({.2, .5, .9, .05, .7, .1, .4, 1.}).view({2, 4});
  const auto v = doubles({1, -.3, .4, -.6, -.2, .9, -1.5, .3}).view({2, 4});
  const auto expect = [&](double epsilon, const std::vector<double>& z) {
    EXPECT_TRUE(at::allclose(l1_box_projection(v, x, epsilon), doubles(z).view({2, 4}), 0, 1e-9))
        << epsilon << l1_box_projection(v, x, epsilon);
  };
  expect(.6, {.55, 0, 0, -.05, 0, .2, -.4, 0});
  expect(1, {.775, -.075, .1, -.05, 0, .6, -.4, 0});
  expect(3, {.8, -.3, .1, -.05, -.2, .9, -.4, 0});
}

TEST(Projection, L1WithBoxIsTheNearestPointOfBoth) {
  // The optimality condition of the projection p of q: (q - p) · (z - p) ≤ 0 for all z allowed.
  const auto x = images(6, {3, 8, 8}), v = wave({6, 3, 8, 8}, 0.8, 1.7).to(at::kDouble);
  for (const double epsilon : {0.01, 1.0, 7.0, 40.0}) {
    const auto p = l1_box_projection(v, x, epsilon);
    for (int i = 0; i < 20; ++i) {
      auto z = wave({6, 3, 8, 8}, 1, 0.3 + i, i).to(at::kDouble).pow(1 + 2 * (i % 4));
      z = at::minimum(at::maximum(z, -x.to(at::kDouble)), 1 - x.to(at::kDouble));
      z = z * (epsilon / z.abs().flatten(1).sum(1)).clamp_max(1).view({6, 1, 1, 1});
      EXPECT_LE(((v - p) * (z - p)).flatten(1).sum(1).max().item<double>(), 1e-9) << epsilon;
    }
  }
}

TEST(Projection, L0KeepsTheEntriesThatMovedFarthestWithinTheBox) {
  const auto x = at::tensor({0.5f, 0.9f, 0.25f, 0.5f, 0.125f}).view({1, 5});
  const auto moved = at::tensor({0.6f, 3.0f, 0.0f, 0.75f, 0.375f}).view({1, 5});
  const auto expect = [&](double epsilon, const std::vector<float>& expected) {
    EXPECT_TRUE(at::allclose(project(moved, x, {Norm::l0, epsilon})[0], at::tensor(expected)));
  };
  expect(1, {0.5, 0.9, 0.0, 0.5, 0.125});  // of three equal moves the first
  expect(3.9, {0.5, 0.9, 0.0, 0.75, 0.375});
  expect(5, {0.6, 1.0, 0.0, 0.75, 0.375});
  expect(100, {0.6, 1.0, 0.0, 0.75, 0.375});
  const auto norms = sample_norms(at::tensor({0.0f, -0.0f, 1e-30f, -2.0f}).view({2, 2}), Norm::l0);
  EXPECT_TRUE(at::equal(norms, doubles({0, 2})));
}

TEST(Projection, RadiusZeroKeepsEvenTheSignOfZero) {
  const auto x = at::tensor({-0.0f, 0.0f, 1.0f, 0.3f}).view({1, 4});
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1})
    EXPECT_TRUE(same_bits(project(x + 0.1, x, {norm, 0}), x));
}

TEST(Projection, MovingInsideLeavesWhatIsInsideBitForBit) {
  const auto x = images(64, {1, 3, 4});
  const auto far = (x + wave({64, 1, 3, 4}, 0.3, 1.7)).clamp(0, 1);
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    const Budget budget{norm, perturbation_norms(far, x, norm).median().item<double>()};
    auto moved = far.clone();
    const auto inside = move_inside(moved, x, budget);
    EXPECT_EQ(inside.sum().item<int>(), 32) << to_string(norm);
    EXPECT_TRUE(same_bits(moved.index({inside}), far.index({inside}))) << to_string(norm);
    const auto outside = inside.logical_not();
    EXPECT_TRUE(same_bits(moved.index({outside}), project(far, x, budget).index({outside})))
        << to_string(norm);
  }
}

TEST(Start, LinfIsUniformInTheBall) {
  const auto x = at::full({1, 20000}, 0.5f);
  const auto point = start_point(x, Start::uniform, {Norm::linf, 0.1}, Random(1, "s"), {7}, 0);
  const auto u = ((point - x) / 0.1).to(at::kDouble);
  EXPECT_NEAR(u.mean().item<double>(), 0, 0.02);
  EXPECT_NEAR(u.square().mean().item<double>(), 1.0 / 3, 0.01);
  EXPECT_GT(u.abs().max().item<double>(), 0.999);
}

TEST(Start, L1IsUniformInVolume) {
  // Of the ball of radius 0.1 in d = 3 dimensions the share r^3 lies within r; E|z_i| = r/3 each.
  const auto x = at::full({4000, 3}, 0.5f);
  SampleIds ids(4000);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = i;
  const auto z = start_point(x, Start::uniform, {Norm::l1, 0.1}, Random(1, "s"), ids, 0) - x;
  const auto radius = sample_norms(z, Norm::l1) / 0.1;
  EXPECT_NEAR(radius.pow(3).mean().item<double>(), 0.5, 0.02);
  EXPECT_NEAR((z.abs().select(1, 0).to(at::kDouble) / (0.1 * radius)).mean().item<double>(), 1. / 3,
              0.01);
  EXPECT_NEAR(z.sign().mean().item<double>(), 0, 0.03);
}

TEST(Start, L2IsUniformInVolume) {
  const auto x = at::full({4000, 3}, 0.5f);
  SampleIds ids(4000);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = i;
  const auto point = start_point(x, Start::uniform, {Norm::l2, 0.2}, Random(2, "s"), ids, 0);
  const auto volume = (perturbation_norms(point, x, Norm::l2) / 0.2).pow(3);
  EXPECT_NEAR(volume.mean().item<double>(), 0.5, 0.02);
  EXPECT_NEAR(volume.square().mean().item<double>(), 1.0 / 3, 0.02);
  EXPECT_LT((point - x).mean(0).abs().max().item<double>(), 0.01) << "no direction preferred";
}

TEST(Start, GaussHasItsScaleAndNoneIsTheInput) {
  const auto x = images(1, {20000});
  const auto gauss = start_point(x, Start::gauss, {Norm::l2, 0.2}, Random(3, "s"), {1}, 0) - x;
  EXPECT_NEAR(gauss.std().item<double>(), 0.001, 3e-5);
  EXPECT_TRUE(same_bits(start_point(x, Start::none, {}, Random(3, "s"), {1}, 0), x));
}

TEST(Start, DependsOnIdAndEpochNotOnPlace) {
  const auto x = images(1, {3, 5, 7}).expand({3, 3, 5, 7});
  for (const auto norm : {Norm::linf, Norm::l2}) {
    const auto draw = [&](const SampleIds& ids, std::uint32_t epoch) {
      const auto count = static_cast<std::int64_t>(ids.size());
      return start_point(x.slice(0, 0, count), Start::uniform, {norm, 0.1}, Random(4, "s"), ids,
                         epoch);
    };
    const auto three = draw({5, 6, 7}, 0), swapped = draw({7, 5, 6}, 0);
    EXPECT_TRUE(same_bits(three[0], swapped[1]));
    EXPECT_TRUE(at::allclose(draw({6}, 0)[0], three[1], 0, 1e-7));
    EXPECT_FALSE(same_bits(three[0], three[1]));
    EXPECT_FALSE(same_bits(three[0], draw({5}, 1)[0]));
  }
}

TEST(Best, MisclassifiedBeatsCorrectThenTheHigherLossThenTheEarlier) {
  const auto update = [](Best& best, float loss, bool success, int step) {
    best.update(at::full({1, 2}, static_cast<float>(step)), at::tensor({loss}),
                at::full({1}, success, at::kBool), step);
    return best.result().step.item<std::int64_t>();
  };
  Best best;
  EXPECT_EQ(update(best, 5, false, 0), 0);
  EXPECT_EQ(update(best, 4, false, 1), 0) << "lower loss";
  EXPECT_EQ(update(best, 6, false, 2), 2) << "higher loss";
  EXPECT_EQ(update(best, 1, true, 3), 3) << "misclassified";
  EXPECT_EQ(update(best, 9, false, 4), 3) << "correct again";
  EXPECT_EQ(update(best, 1, true, 5), 3) << "equal";
  EXPECT_EQ(update(best, 2, true, 6), 6);
  EXPECT_EQ(best.result().x_adv[0][1].item<float>(), 6);
  EXPECT_EQ(best.result().loss.item<float>(), 2);
}

}  // namespace
}  // namespace namid::attacks
