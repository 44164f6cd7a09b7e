// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/registry.h"

#include <gtest/gtest.h>

#include "namid/defenses/mma_reference.h"
#include "namid/models/registry.h"
#include "support/mi_toy.h"

namespace namid::defenses {
namespace {

using attacks::Norm;
using testing::small_estimators;
using testing::value;
using testing::wave;

constexpr auto kAllDefenses = [] {
  std::array<Defense, EnumNames<Defense>::kNames.size()> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Defense>(i);
  return all;
}();

std::optional<mi::EstimatorPair> estimators_for(Defense defense) {
  if (!needs_estimators(defense)) return std::nullopt;
  auto pair = small_estimators(16, at::kFloat);
  if (defense != Defense::at_mim) return pair;
  pair.adversarial = {};
  pair.info.objective = "standard";
  return pair;
}

/// The message of the OptionError that `work` throws.
template <class Work>
std::string refusal(Work&& work) {
  try {
    work();
  } catch (const OptionError& error) {
    return error.what();
  }
  ADD_FAILURE() << "not refused";
  return {};
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct SmallRun {
  Classifier model = models::create({.model = "small_cnn", .width = 4}, {3, 8, 8}, 10, /*seed=*/1);
  Batch batch{(0.5 + 0.5 * wave({8, 3, 8, 8}, 0.013)).to(at::kFloat), {}, {0, 1, 2, 3, 4, 5, 6, 7}};
  Context context{.random = Random(1, "train/attack"), .epoch = 3};
  SmallRun() { batch.y = model(batch.x).argmax(1); }
};

/// The loss of a defence's objective, bound with `options`, on a fresh model.
double bound(Defense defense, const DefenseOptions& options) {
  const SmallRun small;
  return value(make_objective(defense, options, estimators_for(defense))(small.model, small.batch,
                                                                         small.context)
                   .loss);
}

class InEachNorm : public ::testing::TestWithParam<Norm> {
 protected:
  DefenseOptions options() const {
    DefenseOptions options{.attack = {.budget = {.norm = GetParam()}, .steps = 3}, .full_batch = 8};
    options.attack.budget.epsilon = GetParam() == Norm::l2 ? 2 : 0.2;
    options.trades.beta = 2;
    options.mart.beta = 3;
    options.namid.alpha = 4;
    options.at_mim.alpha = 0.5;
    return options;
  }
};

TEST_P(InEachNorm, ObjectivesAreTheirLossOnTheExamplesOfTheirAttack) {
  const auto o = options();
  const auto on_examples = [&](const BaseLoss& base) {
    const SmallRun small;
    const auto attack = attack_for(base.ascended, o.attack);
    const auto x_adv = craft(small.model, small.batch, attack, small.context);
    EXPECT_GT(value((x_adv - small.batch.x).abs().max()), 0);
    return value(base_loss_on(small.model, small.batch, x_adv, base).loss);
  };
  EXPECT_EQ(bound(Defense::standard, o), on_examples(cross_entropy_base()));
  EXPECT_EQ(bound(Defense::trades, o), on_examples(trades_base({.beta = 2})));
  EXPECT_EQ(bound(Defense::mart, o), on_examples(mart_base({.beta = 3})));
  EXPECT_EQ(bound(Defense::mma_reference, o), on_examples(mma_reference_base()));
}

TEST_P(InEachNorm, NamidAddsItsTermsToTheBaseLossOnTheSameExamples) {
  const auto o = options();
  const auto on_examples = [&](const BaseLoss& base) {
    const SmallRun small;
    const auto attack = attack_for(base.ascended, o.attack);
    const auto x_adv = craft(small.model, small.batch, attack, small.context);
    const auto result = namid_loss(small.model, small.batch, x_adv,
                                   {*estimators_for(Defense::namid), o.namid, base, o.full_batch});
    EXPECT_NE(result.metrics.at("mi_loss"), 0);
    const SmallRun again;
    EXPECT_NEAR(result.metrics.at("base_loss"),
                value(base_loss_on(again.model, again.batch, x_adv, base).loss), 1e-6);
    return value(result.loss);
  };
  EXPECT_EQ(bound(Defense::namid, o), on_examples(cross_entropy_base()));
  EXPECT_EQ(bound(Defense::namid_t, o), on_examples(trades_base({.beta = 2})));
  EXPECT_EQ(bound(Defense::namid_m, o), on_examples(mart_base({.beta = 3})));
}

TEST_P(InEachNorm, EveryDefenceGivesFiniteGradients) {
  for (const auto defense : kAllDefenses) {
    const SmallRun small;
    const auto objective = make_objective(defense, options(), estimators_for(defense));
    objective(small.model, small.batch, small.context).loss.backward();
    double size = 0;
    for (const auto& p : small.model.parameters()) {
      EXPECT_TRUE(p.grad().isfinite().all().item<bool>()) << to_string(defense);
      size += value(p.grad().abs().sum());
    }
    EXPECT_GT(size, 0) << to_string(defense);
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, InEachNorm, ::testing::Values(Norm::linf, Norm::l2),
                         [](const auto& info) { return std::string(to_string(info.param)); });

TEST(Registry, RefusesEstimatorsThatAreMissingOrOfAnotherObjective) {
  for (const auto defense : kAllDefenses) {
    if (!needs_estimators(defense)) continue;
    const auto missing = refusal([&] { make_objective(defense, {}); });
    EXPECT_TRUE(contains(missing, "namid estimate")) << missing;
    auto wrong = small_estimators(16, at::kFloat);
    for (const auto* made : {"separate", "selected", "standard", "natural"}) {
      wrong.info.objective = made;
      const bool fits = contains(defense_info(defense).estimators, made);
      if (fits) {
        EXPECT_NO_THROW(make_objective(defense, {}, wrong)) << to_string(defense) << made;
      } else {
        const auto text = refusal([&] { make_objective(defense, {}, wrong); });
        EXPECT_TRUE(contains(text, made)) << text;
      }
    }
  }
}

TEST(Registry, RefusesOptionsOutOfRange) {
  const auto refused = [](Defense defense, const DefenseOptions& options, const char* part) {
    const auto text = refusal([&] { make_objective(defense, options, estimators_for(defense)); });
    EXPECT_TRUE(contains(text, part)) << text;
  };
  refused(Defense::namid, {.namid = {.alpha = -1}}, "[namid] alpha: expected ≥ 0, got -1");
  refused(Defense::namid_t, {.namid = {.lambda = -0.5}}, "[namid] lambda: expected ≥ 0");
  refused(Defense::namid_t, {.trades = {.beta = -1}}, "[trades] beta: expected ≥ 0");
  refused(Defense::namid_m, {.mart = {.beta = -1}}, "[mart] beta: expected ≥ 0");
  refused(Defense::at_mim, {.at_mim = {.alpha = -1}}, "[at_mim] alpha: expected ≥ 0");
  refused(Defense::mma, {.mma = {.clean_weight = 2}},
          "[mma] clean_weight: expected a number in [0, 1]");
  refused(Defense::trades, {.attack = {.loss = attacks::AttackLoss::dlr}}, "expected kl");
}

TEST(Registry, RefusesTheReferenceWhereTheReleasedCodeHasNone) {
  for (const auto defense : kAllDefenses) {
    const DefenseOptions options{.bn_updates = BnUpdates::reference};
    const auto make = [&] { make_objective(defense, options, estimators_for(defense)); };
    if (defense_info(defense).in_reference) {
      EXPECT_NO_THROW(make()) << to_string(defense);
    } else {
      const auto text = refusal(make);
      EXPECT_TRUE(contains(text, std::string(to_string(defense)))) << text;
    }
  }
  for (const auto defense : {Defense::mma, Defense::at_mim, Defense::namid_t, Defense::namid_m})
    EXPECT_FALSE(defense_info(defense).in_reference) << to_string(defense);
  EXPECT_NO_THROW(check_in_reference(Defense::mma_reference, Norm::linf, "profile"));
  const auto text =
      refusal([] { check_in_reference(Defense::mma_reference, Norm::l2, "profile"); });
  EXPECT_TRUE(contains(text, "a tensor unrelated to the perturbation")) << text;
}

}  // namespace
}  // namespace namid::defenses
