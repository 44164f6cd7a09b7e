// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/attack_set.h"

#include "eval/toy.h"
#include "namid/core/error.h"
#include "namid/eval/set_check.h"

namespace namid::eval {
namespace {

using attacks::NamedAttack;
using attacks::Norm;

constexpr double kSetEpsilon = 0.05;

NamedAttack attack_with(const std::vector<std::pair<std::string, std::string>>& options) {
  NamedAttack attack("pgd");
  OptionSet set;
  attack.add_options(set, "attack");
  set.set("epsilon", str(kSetEpsilon));
  for (const auto& [key, text] : options) set.set(key, text);
  return attack;
}

/// Three classes around a bend, each row computed on its own.
models::Classifier bent_model() {
  return model_of(
      [](const at::Tensor& x) {
        const auto z = (x.flatten(1) * toy_weight()).sum(1);
        return at::stack({z, at::sin(3 * z), 0.3 - z}, 1);
      },
      3);
}

struct Bent {
  models::Classifier model = bent_model();
  data::Dataset dataset = toy_data(30, 3);
  AttackedSet run(const NamedAttack& attack, const AttackSetOptions& options = {}) const {
    return attack_dataset({model, dataset, attack, options});
  }
  std::vector<CheckedRow> check(const AttackedSet& attacked) const {
    return check_set({model, dataset, {*attacked.set.norm, *attacked.set.epsilon}, 7},
                     attacked.set);
  }
};

TEST(AttackSet, ClaimsWhatHoldsAndNothingLess) {
  const Bent bent;
  for (const auto* norm : {"linf", "l2", "l1"}) {
    const auto attacked = bent.run(attack_with({{"norm", norm}, {"epsilon", "0.1"}}));
    const auto counts = count_rows(bent.check(attacked));
    EXPECT_EQ(counts.failed(), 0) << norm;
    EXPECT_EQ(counts.understated, 0) << norm;
    EXPECT_EQ(counts.images, 30);
    EXPECT_EQ(counts.claimed, attacked.result["fooled"]);
    EXPECT_EQ(counts.eight_bit, attacked.result["eight_bit"]);
    EXPECT_EQ(30 - counts.broken_images, attacked.result["robust"]["correct"]);
    EXPECT_LT(attacked.result["robust"]["correct"], attacked.result["natural"]["correct"]);
    EXPECT_LE(attacked.result["median_norms"][norm], 0.1 * (1 + 1e-5));
    EXPECT_EQ(attacked.set.attack, "pgd");
    EXPECT_HAS(attacked.set.options, str("norm=", norm, " epsilon=0.1 steps=10"));
  }
}

TEST(AttackSet, EveryImageIsTheSameInAnyComputeBatch) {
  const Bent bent;
  const auto attack = attack_with({{"restarts", "3"}, {"steps", "2"}});
  const auto one = bent.run(attack, {.compute_batch = 1});
  for (const int batch : {4, 7, 30, 64}) {
    const auto many = bent.run(attack, {.compute_batch = batch});
    EXPECT_TRUE(at::equal(one.set.x_adv, many.set.x_adv)) << batch;
    EXPECT_TRUE(at::equal(one.set.success, many.set.success)) << batch;
    EXPECT_EQ(one.result["passes"], many.result["passes"]) << batch;
  }
  EXPECT_FALSE(at::equal(one.set.x_adv, bent.run(attack, {.seed = 1}).set.x_adv));
}

TEST(AttackSet, LaterRoundsTakeTheSurvivorsAlone) {
  const Bent bent;
  const auto passes = [&](const char* restarts) {
    return bent.run(attack_with({{"restarts", restarts}, {"steps", "1"}}))
        .result["passes"]["backwards"]
        .get<std::int64_t>();
  };
  const auto once = bent.run(attack_with({{"steps", "1"}})).result;
  const auto correct = once["natural"]["correct"].get<std::int64_t>();
  const auto survivors = once["robust"]["correct"].get<std::int64_t>();
  EXPECT_EQ(passes("1"), correct);
  EXPECT_EQ(passes("2"), correct + survivors);
}

TEST(AttackSet, NaturalErrorsStayAsTheyAre) {
  const Bent bent;
  const auto attacked = bent.run(attack_with({}));
  const auto x = bent.dataset.images.to(at::kFloat) / 255;
  const auto wrong = bent.model(x).argmax(1).ne(bent.dataset.labels).nonzero().squeeze(1);
  ASSERT_GT(wrong.numel(), 0);
  EXPECT_TRUE(at::equal(attacked.set.x_adv.index_select(0, wrong), x.index_select(0, wrong)));
  EXPECT_TRUE(attacked.set.success.index_select(0, wrong).all().item<bool>());
}

TEST(AttackSet, ATargetedAttackAimsAtOneClassAndLeavesItsImagesOut) {
  const Bent bent;
  const auto attack = attack_with({{"targeted", "true"}, {"epsilon", "0.2"}, {"steps", "30"}});
  const auto attacked = bent.run(attack, {.target_class = 2});
  EXPECT_EQ(attacked.set.size(), 20);
  EXPECT_TRUE(attacked.set.y.ne(2).all().item<bool>());
  EXPECT_TRUE(attacked.set.target.eq(2).all().item<bool>());
  EXPECT_FALSE(attacked.result.contains("robust"));
  EXPECT_GT(attacked.result["fooled"], 0);
  const auto claims = bent.check(attacked);
  EXPECT_EQ(count_rows(claims).failed(), 0);
  for (const auto& claim : claims) {
    if (claim.claimed) {
      EXPECT_EQ(claim.verdict->reading.prediction, 2);
    }
  }
}

TEST(AttackSet, WithoutATargetClassTheNextOneIsTaken) {
  const Bent bent;
  const auto attacked = bent.run(attack_with({{"targeted", "true"}}));
  EXPECT_EQ(attacked.set.size(), 30);
  EXPECT_TRUE(at::equal(attacked.set.target, (attacked.set.y + 1) % 3));
}

TEST(AttackSet, LeastLikelyAndRandomTargetsSwitchTargetedOn) {
  const Bent bent;
  const auto attack = attack_with({{"epsilon", "0.2"}});
  const auto least = bent.run(attack, {.targets = attacks::Targets::least_likely});
  const auto x = bent.dataset.images.to(at::kFloat) / 255;
  EXPECT_TRUE(
      at::equal(least.set.target, attacks::least_likely_class(bent.model(x), bent.dataset.labels)));
  EXPECT_EQ(least.result["targets"], "least-likely");
  EXPECT_EQ(least.result["targeted"], true);
  EXPECT_FALSE(least.result.contains("robust"));
  EXPECT_HAS(least.set.options, "targeted=true");
  const auto drawn = bent.run(attack, {.targets = attacks::Targets::random});
  EXPECT_TRUE((drawn.set.target != drawn.set.y).all().item<bool>());
  EXPECT_FALSE(at::equal(drawn.set.target, (drawn.set.y + 1) % 3));
  EXPECT_TRUE(at::equal(
      drawn.set.target,
      bent.run(attack, {.compute_batch = 7, .targets = attacks::Targets::random}).set.target));
}

TEST(AttackSet, AllTargetsReachWhatAnyOneReaches) {
  const Bent bent;
  const auto attack = attack_with({{"targeted", "true"}, {"epsilon", "0.01"}});
  const auto all = bent.run(attack, {.targets = attacks::Targets::all});
  auto any = at::zeros({30}, at::kBool);
  for (int target = 0; target < 3; ++target) {
    const auto one = bent.run(attack, {.target_class = target}).set;
    any.index_put_({one.index - 1000}, any.index({one.index - 1000}) | one.success);
  }
  EXPECT_TRUE(at::equal(all.set.success, any));
  EXPECT_GT(any.sum().item<std::int64_t>(), 0);
  EXPECT_LT(any.sum().item<std::int64_t>(), 30);
  EXPECT_EQ(all.set.size(), 30);
  EXPECT_EQ(count_rows(bent.check(all)).failed(), 0);
  const auto reached = bent.model(all.set.x_adv).argmax(1) == all.set.target;
  EXPECT_TRUE(at::equal(all.set.success, reached));
}

TEST(AttackSet, CountsEntriesInL0) {
  const Bent bent;
  NamedAttack attack("fmn");
  attack.budget() = {Norm::l0, 2};
  const auto attacked = bent.run(attack);
  EXPECT_EQ(count_rows(bent.check(attacked)).failed(), 0);
  EXPECT_GT(attacked.result["fooled"], 30 - attacked.result["natural"]["correct"].get<int>());
  EXPECT_LE(attacked.result["median_norms"]["l0"], 2);
  EXPECT_GE(attacked.result["median_norms"]["l0"], 1);
  auto wide = attacked.set;
  wide.epsilon = 1;
  wide.x_adv = wide.x_adv + 0.01;
  for (const auto& row : check_set({bent.model, bent.dataset, {Norm::l0, 1}, 7}, wide)) {
    EXPECT_EQ(row.verdict->l0, 6);
    EXPECT_FALSE(row.verdict->in_ball);
  }
}

TEST(AttackSet, NamesModelAndDataWhateverTheLimit) {
  const Bent bent;
  const auto attacked = bent.run(attack_with({}));
  EXPECT_EQ(attacked.set.data_sha256, bent.dataset.sha256());
  EXPECT_EQ(attacked.set.model_sha256.size(), 64u);
  EXPECT_EQ(attacked.set.index[3].item<std::int64_t>(), 1003);
}

TEST(AttackSet, WrongOptionsAreRefused) {
  const Bent bent;
  const auto message = [&](const NamedAttack& attack, const AttackSetOptions& options) {
    return message_of<OptionError>([&] { bent.run(attack, options); });
  };
  EXPECT_HAS(message(attack_with({}), {.target_class = 1}), "target_class: the attack is not");
  EXPECT_HAS(message(attack_with({{"targeted", "true"}}), {.target_class = 3}),
             "target_class: expected 0 to 2, got 3");
  EXPECT_HAS(message(attack_with({}), {.target_class = 1, .targets = attacks::Targets::all}),
             "target_class: goes with --targets given alone");
  EXPECT_HAS(message(NamedAttack("fab"), {.targets = attacks::Targets::all}),
             "[fab] targets: the attack cannot move towards a given class");
  EXPECT_HAS(message(attack_with({}), {.compute_batch = 0}), "compute_batch: expected ≥ 1");
  EXPECT_HAS(message(attack_with({}), {.confidence = 1}), "confidence");
  NamedAttack wide("pgd");
  wide.budget().epsilon = 8;
  EXPECT_HAS(message(wide, {}), "255");
}

TEST(AttackSet, AStopEndsBetweenBatches) {
  const Bent bent;
  run::StopToken stop;
  stop.request(2);
  const auto attack = attack_with({});
  EXPECT_THROW(attack_dataset({bent.model, bent.dataset, attack, {}, &stop}), run::Interrupted);
}

}  // namespace
}  // namespace namid::eval
