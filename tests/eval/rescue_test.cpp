// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/rescue.h"

#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "eval/suite_runs.h"
#include "namid/core/error.h"
#include "namid/eval/attack_set.h"
#include "namid/eval/compiled.h"
#include "namid/models/bfloat16.h"

namespace namid::eval {
namespace {

constexpr double kRescueEpsilon = 0.05;
constexpr double kEverything = 1024;  ///< a margin that no sample has

/// Three classes around a bend by a matrix product, which bfloat16 rounds.
models::Classifier rounded_model() {
  return model_of(
      [](const at::Tensor& x) {
        const auto z =
            at::matmul(x.flatten(1), toy_weight().unsqueeze(1)).squeeze(1).to(at::kFloat);
        return at::stack({z, at::sin(3 * z), 0.3 - z}, 1);
      },
      3);
}

/// A stand-in for a precision in which attacks find little: the same logits, without gradients.
models::Classifier flat_model() {
  return model_of(
      [model = rounded_model()](const at::Tensor& x) {
        return model(x).detach() + 0 * x.flatten(1).sum(1, true);
      },
      3);
}

Suite suite_of(const std::string& attacks, Combine combine = Combine::worst_case) {
  return make_suite({.suite = attacks, .combine = combine},
                    {.budget = {attacks::Norm::linf, kRescueEpsilon}});
}

class Rescue : public SuiteRuns {
 protected:
  Rescue() : SuiteRuns(rounded_model(), toy_data(90, 3), 200) {}
  std::vector<AttemptRow> attempts(const std::string& folder, const std::string& attack = "pgd") {
    return SuiteRuns::attempts(folder, attack);
  }
};

TEST_F(Rescue, EverySuccessOfBFloat16HoldsInFloat32) {
  const auto result =
      run(through_bfloat16(suite_of("pgd(steps=5)"), models::in_bfloat16(model_), 0), "run");
  EXPECT_GT(result["attacks"][0]["broken"], 5);
  int checked = 0;
  for (const auto& image : ledger("run").images()) {
    if (!image.success) continue;
    const auto x = at::tensor(image.x_adv).view({1, 1, 2, 3});
    EXPECT_NE(model_(x).argmax(1).item<std::int64_t>(),
              static_cast<std::int64_t>(image.sample - 1000) % 3)
        << image.sample;
    ++checked;
  }
  EXPECT_EQ(checked, result["attacks"][0]["broken"]);
}

/// An attack that claims to have fooled the model with the natural image.
TEST_F(Rescue, ASuccessInBFloat16AloneIsRefutedAndItsImageAttackedAgain) {
  auto wrong =
      forged_attack(kRescueEpsilon, true, [](const at::Tensor& x, const at::Tensor&) { return x; });
  const auto result =
      run(through_bfloat16({.name = "toy", .combine = Combine::worst_case, .attacks = {wrong}},
                           flat_model(), 0),
          "run");
  EXPECT_EQ(result["robust"], result["natural"]);
  EXPECT_EQ(result["rescue"]["attacked"], result["natural"]["correct"]);
  EXPECT_EQ(result["rescue"]["broken"], 0);
}

TEST_F(Rescue, TakesTheSurvivorsBelowTheThresholdAndNoOthers) {
  constexpr double kNear = 0.2;
  const auto result =
      run(through_bfloat16(suite_of("pgd(steps=3, restarts=2)"), flat_model(), kNear), "run");
  std::map<std::uint64_t, double> lowest;
  std::set<std::uint64_t> expected, again, broken;
  for (const auto& sample : ledger("run").samples())
    if (sample.correct) lowest[sample.sample] = sample.margin;
  for (const auto& attempt : attempts("run"))
    if (attempt.round < 2)
      lowest[attempt.sample] =
          attempt.success ? 1e9 : std::min(lowest[attempt.sample], attempt.margin);
  for (const auto& [id, margin] : lowest)
    if (margin < kNear) expected.insert(id);
  for (const auto& attempt : attempts("run")) {
    if (attempt.round < 2) continue;
    again.insert(attempt.sample);
    if (attempt.success) broken.insert(attempt.sample);
  }
  EXPECT_EQ(again, expected);
  EXPECT_LT(again.size(), lowest.size());
  EXPECT_GT(broken.size(), 0u);
  EXPECT_EQ(
      result["rescue"],
      (nlohmann::json{{"near", kNear}, {"attacked", again.size()}, {"broken", broken.size()}}));
}

TEST_F(Rescue, IsTheSameAttackWithTheSameDraws) {
  for (const auto* attack : {"pgd(steps=3, restarts=2)", "apgd-ce(steps=6)", "apgd-dlr(steps=4)"}) {
    const std::string folder(attack), name = folder.substr(0, folder.find('('));
    const auto suite = suite_of(attack);
    run(suite, folder);
    auto lowered = through_bfloat16(suite, flat_model(), kEverything);
    const auto rounds = suite.attacks[0].rounds(3);
    run(lowered, folder + " again");
    std::map<std::pair<std::int64_t, std::uint64_t>, AttemptRow> again;
    for (auto& row : attempts(folder + " again", name))
      if (row.round >= rounds) again[{row.round - rounds, row.sample}] = row;
    std::size_t broken_first = 0;
    for (auto row : attempts(folder, name)) {
      if (!again.contains({row.round, row.sample})) {
        ++broken_first;  // the start alone was enough, without a gradient
        continue;
      }
      auto& other = again.at({row.round, row.sample});
      EXPECT_EQ(other.round, row.round + rounds);
      other.round = row.round;
      EXPECT_EQ(other, row) << attack;
    }
    EXPECT_GT(again.size(), 2 * broken_first) << attack;
  }
}

TEST_F(Rescue, WithEachAnAttackIsMeasuredByItsOwnImagesAlone) {
  const auto lowered =
      through_bfloat16(suite_of("pgd(steps=4), fgsm", Combine::each), flat_model(), kEverything);
  const auto result = run(lowered, "run");
  const auto plain = run(suite_of("pgd(steps=4), fgsm", Combine::each), "plain");
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_LE(result["attacks"][i]["robust"]["correct"], plain["attacks"][i]["robust"]["correct"])
        << "every image had its turn in float32";
  EXPECT_EQ(result["attacks"][1]["attacked"], result["natural"]["correct"]);
}

TEST_F(Rescue, AnInterruptedRunGoesOnAsIfItHadNotBeen) {
  const auto suite =
      through_bfloat16(suite_of("pgd(steps=3, restarts=2), apgd-ce(steps=4)"), flat_model(), 0.3);
  run(suite, "whole");
  for (const int round : {1, 2, 3}) {
    const auto folder = str("cut", round);
    int batches = 0;
    run::StopToken stop;
    auto cut = suite;
    cut.attacks[0].run = [&, inner = suite.attacks[0].run](const auto& model, const auto& x,
                                                           const auto& y, const auto& context) {
      if (context.round == round && ++batches == 1) stop.request(15);
      return inner(model, x, y, context);
    };
    EXPECT_THROW(run(cut, folder, false, &stop, 8), run::Interrupted);
    run(suite, folder, true, nullptr, 8);
    run(suite, folder + " whole", false, nullptr, 8);
    for (const auto* attack : {"pgd", "apgd-ce"})
      EXPECT_EQ(attempts(folder, attack), attempts(folder + " whole", attack)) << round;
    EXPECT_EQ(attempts(folder), attempts("whole")) << "whatever the compute batch";
  }
}

TEST_F(Rescue, TheLedgerKnowsItsPrecision) {
  const auto lowered = through_bfloat16(suite_of("pgd(steps=2)"), flat_model(), 0.25);
  run(lowered, "run");
  EXPECT_EQ(ledger("run").identity().at("precision"), "bfloat16, near 0.25");
  EXPECT_HAS(message_of<DataError>([&] { run(suite_of("pgd(steps=2)"), "run", true); }),
             "precision");
  EXPECT_HAS(message_of<DataError>([&] {
               run(through_bfloat16(suite_of("pgd(steps=2)"), flat_model(), 0.5), "run", true);
             }),
             "precision");
  const auto result = run(suite_of("pgd(steps=2)"), "plain");
  EXPECT_FALSE(ledger("plain").identity().contains("precision"));
  EXPECT_FALSE(result.contains("rescue"));
}

TEST_F(Rescue, TheProtocolOfA3AndTheEngineGoThroughIt) {
  auto suite = through_engine(
      through_bfloat16(suite_of("a3(restarts=3)"), models::in_bfloat16(model_), kEverything),
      model_, "none of its own");
  const auto result = run(suite, "list");
  EXPECT_GT(result["attacks"][0]["broken"], 0);
  EXPECT_EQ(ledger("list").identity().at("engine"), "none of its own");
  const auto protocol = through_bfloat16(
      make_suite({.suite = "a3"}, {.budget = {attacks::Norm::linf, kRescueEpsilon}}),
      models::in_bfloat16(model_), 0.01);
  EXPECT_EQ(protocol.attacks[0].rounds(10), 136);
  EXPECT_EQ(run(protocol, "protocol")["attacks"].size(), 1u);
}

TEST_F(Rescue, RefusesToRepeatAReferenceInBFloat16) {
  auto suite = suite_of("pgd(steps=2)");
  suite.attacks[0].sequential = true;
  EXPECT_HAS(message_of<OptionError>([&] { through_bfloat16(suite, flat_model(), 1); }),
             "leave out --precision");
}

attacks::NamedAttack pgd_attack(bool targeted) {
  attacks::NamedAttack attack("pgd");
  OptionSet set;
  attack.add_options(set, "attack");
  set.set("epsilon", str(kRescueEpsilon));
  set.set("steps", "4");
  if (targeted) set.set("targeted", "true");
  return attack;
}

class SetInBFloat16 : public Rescue, public ::testing::WithParamInterface<bool> {
 protected:
  AttackedSet attack(const models::Classifier* bfloat16, double near) {
    const auto pgd = pgd_attack(GetParam());
    return attack_dataset({.model = model_,
                           .dataset = dataset_,
                           .attack = pgd,
                           .options = {.compute_batch = 16},
                           .bfloat16 = bfloat16,
                           .near = near});
  }
};

TEST_P(SetInBFloat16, ImagesNearTheBoundaryAreAttackedAgain) {
  const auto flat = flat_model();
  const auto plain = attack(nullptr, 0), none = attack(&flat, 0), some = attack(&flat, 0.2),
             all = attack(&flat, kEverything);
  EXPECT_FALSE(plain.result.contains("rescue"));
  EXPECT_EQ(none.result["rescue"]["attacked"], none.result["refuted"]);
  EXPECT_LT(none.result["fooled"], plain.result["fooled"]);
  EXPECT_GE(all.result["fooled"], plain.result["fooled"]);
  EXPECT_GT(some.result["rescue"]["attacked"], none.result["rescue"]["attacked"]);
  EXPECT_LT(some.result["rescue"]["attacked"], all.result["rescue"]["attacked"]);
  EXPECT_EQ(some.result["fooled"].get<int>(),
            none.result["fooled"].get<int>() + some.result["rescue"]["broken"].get<int>());
  EXPECT_HAS(some.set.options, "precision=bfloat16");
}
INSTANTIATE_TEST_SUITE_P(Targeted, SetInBFloat16, ::testing::Bool());

}  // namespace
}  // namespace namid::eval
