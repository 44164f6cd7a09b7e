// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/targets.h"

#include "attacks/contract.h"

namespace namid::attacks {
namespace {

NamedAttack named_with(const std::string& name, const Budget& budget,
                       const std::vector<std::pair<std::string, std::string>>& options) {
  return contracted({.attack = name, .options = options}, budget);
}

class TargetsTest : public ::testing::Test {
 protected:
  Classifier model = curved({12});
  at::Tensor x = images(8, {12});
  at::Tensor y = model(x).argmax(1);
  NamedAttack pgd = named_with("pgd", {Norm::l2, 1}, {{"steps", "20"}});
  Context context{.random = Random(5, "targets")};
};

TEST_F(TargetsTest, LeastLikelyIsTheSmallestLogitButNeverTheLabel) {
  const auto z = at::tensor({3.0f, -1.0f, 0.5f, -2.0f, -5.0f, 1.0f, 4.0f, 4.0f, 4.0f}).view({3, 3});
  EXPECT_TRUE(at::equal(least_likely_class(z, at::tensor({0, 1, 0}, at::kLong)),
                        at::tensor({1, 0, 1}, at::kLong)));
  EXPECT_TRUE(at::equal(least_likely_class(model(x), y), model(x).argmin(1)));
  const auto found = attack_targets(pgd, model, x, y, Targets::least_likely, context);
  EXPECT_TRUE(at::equal(found.target, model(x).argmin(1)));
  EXPECT_TRUE(at::equal(found.attack.success, model(found.attack.x_adv).argmax(1) == found.target));
}

TEST_F(TargetsTest, GivenIsTheAttackWithTargetedOn) {
  const auto target = (y + 1) % 4;
  const auto given = attack_targets(pgd, model, x, target, Targets::given, context);
  auto targeted = pgd;
  OptionSet set;
  targeted.add_options(set, "attack");
  set.set("targeted", "true");
  EXPECT_TRUE(same_bits(given.attack.x_adv, targeted(model, x, target, context).x_adv));
  EXPECT_TRUE(at::equal(given.target, target));
}

TEST_F(TargetsTest, RandomClassesAreOthersAndHangOnTheSampleAlone) {
  const auto many = at::arange(400, at::kLong) % 5;
  SampleIds ids;
  for (std::uint64_t i = 0; i < 400; ++i) ids.push_back(1000 + i);
  const auto drawn = random_class(many, 5, Random(1, "draw"), ids);
  EXPECT_TRUE((drawn != many).all().item<bool>());
  EXPECT_TRUE(((drawn >= 0) & (drawn < 5)).all().item<bool>());
  for (std::int64_t n = 1; n < 5; ++n) {
    const auto share = (drawn == class_after(many, n, 5)).sum().item<std::int64_t>();
    EXPECT_NEAR(static_cast<double>(share), 100, 35) << n;  // 4 standard deviations
  }
  const auto one = random_class(many.narrow(0, 7, 1), 5, Random(1, "draw"), {1007});
  EXPECT_TRUE(at::equal(one, drawn.narrow(0, 7, 1)));
  EXPECT_FALSE(at::equal(random_class(many, 5, Random(2, "draw"), ids), drawn));
  const auto two = at::zeros({3}, at::kLong);
  EXPECT_TRUE(at::equal(random_class(two, 2, Random(), {1, 2, 3}), at::ones({3}, at::kLong)));
}

TEST_F(TargetsTest, AllIsAtLeastAsStrongAsEachTarget) {
  Passes counted;
  context.passes = &counted;
  const auto all = attack_targets(pgd, model, x, y, Targets::all, context);
  const auto total = counted;
  EXPECT_EQ(all.attack.passes.forwards, total.forwards);
  Passes passes;
  auto any = at::zeros_like(y, at::kBool);
  for (std::int64_t n = 1; n < 4; ++n) {
    const auto target = class_after(y, n, 4);
    const auto one = attack_targets(pgd, model, x, target, Targets::given, context).attack;
    any = any | one.success;
    passes.forwards += one.passes.forwards;
    const auto taken = all.target == target;
    EXPECT_TRUE(same_bits(all.attack.x_adv.index({taken}), one.x_adv.index({taken}))) << n;
    const auto failed = all.attack.success.logical_not();
    EXPECT_TRUE((all.attack.loss >= one.loss).index({failed}).all().item<bool>()) << n;
  }
  EXPECT_TRUE(at::equal(all.attack.success, any));
  EXPECT_EQ(all.attack.passes.forwards, passes.forwards);
  EXPECT_TRUE(at::equal(all.attack.success, model(all.attack.x_adv).argmax(1) == all.target));
  EXPECT_TRUE((all.target != y).all().item<bool>());
  EXPECT_GT(any.sum().item<std::int64_t>(), 0);
}

// Each class of a linear model lies behind a plane; the nearest plane is an untargeted attack's.
TEST_F(TargetsTest, AllOnALinearModelReachTheNearestPlaneAndNoNearer) {
  const auto weight = wave({4, 12}, 1, 0.7, 0.3);
  model = linear(weight, at::zeros({4}), {12});
  x = images(5, {12}, 0.1);
  y = model(x).argmax(1);
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto label = y[i].item<std::int64_t>();
    const auto z = model(x)[i].to(at::kDouble);
    auto distances = (z[label] - z) / sample_norms(weight - weight[label], Norm::l2);
    distances[label] = std::numeric_limits<double>::infinity();
    const double nearest = distances.min().item<double>();
    const auto within = [&](double epsilon) {
      const auto attack = named_with("pgd", {Norm::l2, epsilon},
                                     {{"steps", "40"}, {"loss", "margin"}, {"start", "none"}});
      return attack_targets(attack, model, x.narrow(0, i, 1), y.narrow(0, i, 1), Targets::all,
                            context);
    };
    EXPECT_FALSE(within(nearest * 0.99).attack.success.item<bool>()) << i;
    const auto found = within(nearest * 1.02);
    EXPECT_TRUE(found.attack.success.item<bool>()) << i;
    EXPECT_EQ(found.target.item<std::int64_t>(), distances.argmin().item<std::int64_t>()) << i;
  }
}

TEST_F(TargetsTest, EveryAttackThatCanBeTargetedTakesThemAndOthersSayWhichDo) {
  for (const auto& info : attack_table()) {
    if (info.name == "ti-dim" || info.name == "di-fgsm" || info.name == "ti-fgsm") continue;
    const NamedAttack attack(info.name);
    const auto run = [&] {
      return attack_targets(attack, model, x, y, Targets::least_likely, context);
    };
    if (info.targeted) {
      const auto found = run();
      EXPECT_TRUE(
          at::equal(found.attack.success, model(found.attack.x_adv).argmax(1) == found.target))
          << info.name;
    } else {
      const auto message = message_of(run);
      EXPECT_NE(message.find(str("[", info.name, "] targets: ")), std::string::npos) << message;
      EXPECT_NE(message.find("these can: pgd, "), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace namid::attacks
