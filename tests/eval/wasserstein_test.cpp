// SPDX-License-Identifier: Apache-2.0
// The Wasserstein threat model from coupling to ledger: what is claimed is checked by its plan.
#include <limits>
#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "namid/attacks/transport.h"
#include "namid/core/error.h"
#include "namid/eval/attack_set.h"
#include "namid/eval/coupling.h"
#include "namid/eval/eight_bit.h"
#include "namid/eval/ledger.h"
#include "namid/eval/set_check.h"
#include "namid/eval/verifier.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using attacks::Budget;
using attacks::Norm;
using testing::TempFolder;

constexpr std::int64_t kStay = 4, kRight = 5, kDownRight = 8;

/// One image of 2 x 3 pixels, a tenth of a unit of mass of whose first pixel goes right.
struct Moved {
  at::Tensor x = at::full({1, 1, 2, 3}, 0.5F);
  at::Tensor plan = attacks::plan_of_rest(x, 3);
  at::Tensor x_adv;
  Moved() {
    move(0, kRight, 0.1F);
    x_adv = attacks::arrived(plan, 3);
  }
  void move(std::int64_t column, std::int64_t k, float mass) {
    plan[0][0][0][column][kStay].sub_(mass);
    plan[0][0][0][column][k].add_(mass);
  }
  Coupling check() const { return check_couplings(x, x_adv, plan)[0]; }
};

TEST(Coupling, AHonestPlanIsOneAndCostsWhatItMoves) {
  Moved toy;
  EXPECT_EQ(toy.check().problem, "");
  EXPECT_NEAR(toy.check().mean_cost, 0.1 / 3, 1e-7) << "0.1 of 3 units, by one pixel";
  toy.move(1, kDownRight, 0.2F);
  toy.x_adv = attacks::arrived(toy.plan, 3);
  EXPECT_NEAR(toy.check().mean_cost, (0.1 + 0.2 * std::sqrt(2.0)) / 3, 1e-6);
}

TEST(Coupling, OfEvenKernelsToo) {
  const auto x = at::full({2, 3, 4, 5}, 0.25F);
  auto plan = attacks::plan_of_rest(x, 4);
  plan.select(-1, 0)[1][2][3][4].add_(0.25F);  // two up and two to the left
  plan.select(-1, 10)[1][2][3][4].sub_(0.25F);
  const auto found = check_couplings(x, attacks::arrived(plan, 4), plan);
  EXPECT_EQ(found[0].problem + found[1].problem, "");
  EXPECT_EQ(found[0].mean_cost, 0);
  EXPECT_NEAR(found[1].mean_cost, 0.25 * std::sqrt(8.0) / 15, 1e-7);
}

TEST(Coupling, EveryWayToCheatIsFound) {
  const auto problem = [](const std::function<void(Moved&)>& change) {
    Moved toy;
    change(toy);
    return toy.check().problem;
  };
  EXPECT_HAS(problem([](Moved& toy) { toy.plan = at::Tensor(); }), "no plan was given");
  EXPECT_HAS(problem([](Moved& toy) { toy.plan = toy.plan.slice(4, 0, 8); }),
             "expected [1, 1, 2, 3]");
  EXPECT_HAS(problem([](Moved& toy) { toy.x_adv[0][0][1][2] += 1e-4; }),
             "makes another image, a pixel differs by 0.0001");
  EXPECT_HAS(problem([](Moved& toy) { toy.plan[0][0][1][1][kStay] += 1e-4; }),
             "row sums miss x by 0.0001");
  EXPECT_HAS(problem([](Moved& toy) { toy.move(2, kRight, 0.1F); }), "mass 0.1 leaves the image");
  EXPECT_HAS(problem([](Moved& toy) { toy.move(0, kDownRight, -0.1F); }), "entry of -0.1");
  EXPECT_HAS(problem([](Moved& toy) {
               toy.plan[0][0][0][0][kStay] = std::numeric_limits<float>::quiet_NaN();
             }),
             "a pixel differs by nan");
}

TEST(Coupling, MassThatLeaksIntoManyPixelsIsFound) {
  const auto x = at::full({1, 1, 50, 50}, 0.5F);
  const auto plan = attacks::plan_of_rest(x, 1);
  EXPECT_EQ(check_couplings(x, x, plan)[0].problem, "");
  EXPECT_EQ(check_couplings(x, x + 4e-6, plan)[0].problem, "");
  EXPECT_HAS(check_couplings(x, x + 8e-6, plan)[0].problem, "a channel's mass changes by 0.02");
}

TEST(WassersteinVerifier, TheBallIsTheCouplingsCost) {
  const Moved toy;
  const auto verdict = [&](double epsilon, const at::Tensor& plan) {
    return verify(toy_model(), toy.x, {toy.x_adv, plan}, at::zeros({1}, at::kLong),
                  {Norm::wasserstein, epsilon})[0];
  };
  EXPECT_TRUE(verdict(0.1 / 3, toy.plan).in_ball);
  EXPECT_TRUE(verdict(0.1 / 3 / 1.0009, toy.plan).in_ball);
  const auto beyond = verdict(0.1 / 3 / 1.0011, toy.plan);
  EXPECT_FALSE(beyond.in_ball);
  EXPECT_HAS(refusal_text(beyond, {Norm::wasserstein, 0.0333}), "wasserstein 0.0333333 exceeds");
  const auto without = verdict(1, {});
  EXPECT_EQ(without.refusal(), Refusal::outside_ball);
  EXPECT_EQ(refusal_text(without, {Norm::wasserstein, 1}),
            "outside the ball: wasserstein: no plan was given");
}

TEST(WassersteinVerifier, ClippedMassIsRefused) {
  Moved toy;
  toy.x.fill_(0.95F);
  toy.plan = attacks::plan_of_rest(toy.x, 3);
  toy.move(0, kRight, 0.1F);
  const auto piled = attacks::arrived(toy.plan, 3);
  const auto verdict = [&](const at::Tensor& x_adv) {
    return verify(toy_model(), toy.x, {x_adv, toy.plan}, at::zeros({1}, at::kLong),
                  {Norm::wasserstein, 1})[0]
        .refusal();
  };
  EXPECT_EQ(verdict(piled), Refusal::outside_box);
  EXPECT_EQ(verdict(piled.clamp(0, 1)), Refusal::outside_ball);
}

attacks::NamedAttack wasserstein_attack(const std::string& name) {
  attacks::NamedAttack attack(name);
  attack.budget().epsilon = 0.2;
  OptionSet set;
  attack.add_options(set, "");
  set.set("steps", "10");
  for (const auto& entry : set.entries())
    if (entry.key == "sinkhorn_iterations") set.set(entry.key, "30");
  return attack;
}

class WassersteinAttacks : public ::testing::TestWithParam<std::string> {
 protected:
  models::Classifier model = toy_model();
  data::Dataset dataset = toy_data(30);
};

TEST_P(WassersteinAttacks, EvaluateToVerifiedRowsWithTheirCost) {
  const auto entry = entry_of(wasserstein_attack(GetParam()), GetParam());
  std::vector<std::int64_t> rows(30);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  const auto attacked = attack_rows({model, dataset, 5, 30}, entry, rows);
  std::int64_t broken = 0;
  const TempFolder folder;
  Ledger ledger(folder / "ledger.sqlite", Ledger::Identity());
  auto batch = ledger.begin();
  for (const auto& row : attacked.attempts) {
    EXPECT_FALSE(row.refuted) << row.sample;
    ASSERT_TRUE(row.wasserstein.has_value());
    EXPECT_LE(*row.wasserstein, 0.2 * (1 + 1e-3));
    EXPECT_TRUE(row.step == 0 || !row.eight_bit) << "moved mass is not of 8 bits";
    broken += row.success;
    ledger.add(GetParam(), row);
  }
  batch.commit();
  const auto clean = model(dataset.images.to(at::kFloat) / 255).argmax(1).ne(dataset.labels);
  EXPECT_GT(broken, clean.sum().item<std::int64_t>());
  EXPECT_EQ(ledger.attempts(GetParam()), attacked.attempts);
}

TEST_P(WassersteinAttacks, SetsOfThemHoldByThePlansInThem) {
  const TempFolder folder;
  const auto attacked =
      attack_dataset({model, dataset, wasserstein_attack(GetParam()), {.compute_batch = 30}});
  write_adversarial_set(folder / "set.npz", attacked.set);
  auto set = read_adversarial_set(folder / "set.npz");
  ASSERT_EQ(set.norm, Norm::wasserstein);
  const SetCheck check{model, dataset, {Norm::wasserstein, 0.2}, 7};
  const auto rows = check_set(check, set);
  const auto counts = count_rows(rows);
  EXPECT_EQ(counts.failed(), 0);
  EXPECT_EQ(counts.claimed, attacked.result["fooled"]);
  EXPECT_LT(attacked.result["robust"]["correct"], attacked.result["natural"]["correct"]);
  EXPECT_LE(row_json(rows[0])["wasserstein"], 0.2 * (1 + 1e-3));
  set.plan = attacks::plan_of_rest(dataset.images.to(at::kFloat) / 255, 3);
  EXPECT_GT(count_rows(check_set(check, set)).failed(), 0) << "these plans move nothing";
  set.plan = at::Tensor();
  EXPECT_HAS(message_of<DataError>([&] { check_set(check, set); }), "expected the array 'plan'");
}

INSTANTIATE_TEST_SUITE_P(All, WassersteinAttacks,
                         ::testing::Values("frank-wolfe", "transport-pgd", "projected-sinkhorn"),
                         [](const auto& info) {
                           auto name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(WassersteinSuite, TakesTheAttacksThatHaveTheDistanceAndNoOthers) {
  const auto suite = [](const std::string& attacks, Norm norm) {
    return make_suite({.suite = attacks}, {.budget = {norm, 0.1}});
  };
  const auto made =
      suite("frank-wolfe(steps=5), transport-pgd, projected-sinkhorn", Norm::wasserstein);
  ASSERT_EQ(made.attacks.size(), 3u);
  EXPECT_EQ(made.attacks[1].budget.epsilon, 0.1);
  EXPECT_EQ(message_of<OptionError>([&] { suite("pgd", Norm::wasserstein); }),
            "[pgd] norm: expected linf, l2, l1, got wasserstein");
  EXPECT_EQ(message_of<OptionError>([&] { suite("frank-wolfe", Norm::l2); }),
            "[frank-wolfe] norm: expected wasserstein, got l2");
}

}  // namespace
}  // namespace namid::eval
