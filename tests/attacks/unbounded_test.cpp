// SPDX-License-Identifier: Apache-2.0
// What attacks that no norm bounds promise, for batch x shape.
#include "attacks/contract.h"
#include "namid/attacks/spatial_flow.h"
#include "namid/attacks/spatial_grid.h"
#include "namid/attacks/targets.h"
#include "namid/attacks/transfer.h"

namespace namid::attacks {
namespace {

NamedAttack quick(std::string_view name) {
  NamedAttack attack(name);
  OptionSet set;
  attack.add_options(set, "");
  if (name == "spatial-flow") {
    set.set("steps", "8");
    set.set("smoothness", "0.01");
  } else {
    set.set("rotations", "3");
    set.set("shifts", "3");
  }
  return attack;
}

struct UnboundedCase {
  std::string attack;
  std::int64_t count = 3;
  Shape shape;
};

class UnboundedContract : public ::testing::TestWithParam<UnboundedCase> {
 protected:
  AttackResult attack(const Context& context = {.random = Random(0, "contract")}) const {
    return quick(GetParam().attack)(model, x, y, context);
  }

  Classifier model = curved(GetParam().shape);
  at::Tensor x = images(GetParam().count, GetParam().shape);
  at::Tensor y = labels(GetParam().count, 4);
};

TEST_P(UnboundedContract, StaysInTheBoxAndReportsSuccessOfTheReturnedPoints) {
  const auto result = attack();
  EXPECT_GE(result.x_adv.min().item<float>(), 0);
  EXPECT_LE(result.x_adv.max().item<float>(), 1);
  EXPECT_EQ(result.x_adv.sizes(), x.sizes());
  EXPECT_EQ(result.x_adv.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(result.success, model(result.x_adv).argmax(1) != y));
  EXPECT_TRUE(at::isfinite(result.loss).all().item<bool>());
  EXPECT_EQ(result.step.sizes(), y.sizes());
}

TEST_P(UnboundedContract, AnErrorAtXComesBackAsItIs) {
  y = (model(x).argmax(1) + 1) % 4;
  const auto result = attack();
  EXPECT_TRUE(same_bits(result.x_adv, x));
  EXPECT_TRUE(result.success.all().item<bool>());
}

TEST_P(UnboundedContract, ASampleAloneIsAttackedAsInItsBatch) {
  const auto together = attack();
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const auto alone =
        quick(GetParam().attack)(model, x.slice(0, i, i + 1), y.slice(0, i, i + 1), {});
    EXPECT_EQ(alone.success.item<bool>(), together.success[i].item<bool>());
    EXPECT_TRUE(at::allclose(alone.x_adv[0], together.x_adv[i], 0, 1e-3));
  }
}

TEST_P(UnboundedContract, CountsPassesAndLeavesItsArgumentsAlone) {
  const auto kept = x.clone();
  Passes passes{.forwards = 10};
  const auto result = attack({.random = Random(0, "contract"), .passes = &passes});
  EXPECT_GT(result.passes.forwards, x.size(0));
  EXPECT_EQ(passes.forwards, 10 + result.passes.forwards);
  EXPECT_TRUE(same_bits(x, kept));
}

std::vector<UnboundedCase> cases() {
  std::vector<UnboundedCase> all;
  for (const auto& info : unbounded_attacks())
    for (const std::int64_t count : {1, 3, 8})
      for (const auto& shape : {Shape{1, 8, 8}, Shape{3, 5, 7}})
        all.push_back({std::string(info.name), count, shape});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, UnboundedContract, ::testing::ValuesIn(cases()),
                         [](const auto& info) {
                           auto name = str(info.param.attack, "_batch", info.param.count, "_",
                                           info.param.shape[0]);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(UnboundedAttacks, HaveNoBudgetAmongTheirOptions) {
  for (const auto& info : unbounded_attacks()) {
    NamedAttack attack(info.name);
    EXPECT_EQ(attack.budget().norm, Norm::none);
    EXPECT_EQ(info.norms, std::vector{Norm::none});
    OptionSet set;
    attack.add_options(set, "attack");
    EXPECT_GT(set.entries().size(), 3u) << info.name;
    for (const auto& entry : set.entries())
      EXPECT_TRUE(entry.key != "norm" && entry.key != "epsilon") << info.name;
    for (const auto& bounded : attack_table()) EXPECT_NE(bounded.name, info.name);
  }
}

TEST(UnboundedAttacks, GiveWhatTheFunctionsGive) {
  const Shape shape{1, 8, 8};
  const auto model = curved(shape);
  const auto x = images(6, shape);
  const auto y = model(x).argmax(1);
  const auto grid = spatial_grid(model, x, y, {.rotations = 3, .shifts = 3});
  const auto by_name = quick("spatial-grid")(model, x, y);
  EXPECT_TRUE(same_bits(by_name.x_adv, grid.x_adv));
  EXPECT_TRUE(at::equal(by_name.step, grid.cell + 1));
  const auto loss = at::cross_entropy_loss(model(grid.x_adv), y, {}, at::Reduction::None);
  EXPECT_TRUE(at::allclose(by_name.loss, loss, 1e-5, 1e-6));
  const auto flow = spatial_flow(model, x, y, {.steps = 8, .smoothness = 0.01});
  EXPECT_TRUE(same_bits(quick("spatial-flow")(model, x, y).x_adv, flow.x_adv));
}

TEST(UnboundedAttacks, MoveToEveryTargetAndThroughASurrogate) {
  const Shape shape{1, 8, 8};
  const auto model = curved(shape);
  const auto x = images(4, shape);
  const auto y = model(x).argmax(1);
  const auto moved = attack_targets(quick("spatial-flow"), model, x, y, Targets::all, {});
  const auto reached = model(moved.attack.x_adv).argmax(1) == moved.target;
  EXPECT_TRUE(at::equal(moved.attack.success, reached));
  EXPECT_GT(reached.sum().item<std::int64_t>(), 0);
  const auto seen = curved(shape, 4);
  const auto carried = transfer(quick("spatial-grid"), seen, model, x, y, {});
  EXPECT_TRUE(at::equal(carried.success, model(carried.x_adv).argmax(1) != y));
}

}  // namespace
}  // namespace namid::attacks
