// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/curve.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "eval/toy.h"
#include "namid/eval/evaluation.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using attacks::Norm;
using nlohmann::json;
using testing::bytes_of;
using testing::TempFolder;

constexpr std::int64_t kCurveImages = 40;

/// Curves of the linear toy model, whose smallest norms are |w·x + b| over the dual norm of w.
class Curve : public ::testing::Test {
 protected:
  Suite searches(const CurveOptions& options = {.curve_attacks = "fmn(steps=60), deepfool"},
                 Norm norm = Norm::linf) const {
    return search_suite(options, norm, {1, 2, 3}, 2);
  }

  CurveData run(const Suite& suite, const std::string& folder, bool resume = false,
                const std::string& stop_at = "") {
    std::filesystem::create_directories(temp_ / folder);
    run::StopToken stop;
    evaluate_with({.model = model_,
                   .dataset = data_,
                   .options = {.compute_batch = 8, .gallery = 2},
                   .folder = temp_ / folder,
                   .resume = resume,
                   .stop = &stop,
                   .progress =
                       [&](const std::string& stage, std::int64_t done, std::int64_t) {
                         if (stage == stop_at && done > 0) stop.request(15);
                       }},
                  suite);
    return data_of(Ledger::open(temp_ / folder / "ledger.sqlite"), suite);
  }

  /// Exact radii of the toy model's images, in order of the ids.
  std::vector<double> exact(double dual_norm) const {
    std::vector<std::int64_t> rows(kCurveImages);
    for (std::int64_t i = 0; i < kCurveImages; ++i) rows[static_cast<std::size_t>(i)] = i;
    const auto batch = data::make_batch(data_, rows);
    const auto logits = model_(batch.x);
    std::vector<double> radii;
    for (std::int64_t i = 0; i < kCurveImages; ++i) {
      const double z = logits[i][1].item<double>();
      const auto label = batch.y[i].item<std::int64_t>();
      radii.push_back((z > 0) == (label == 1) ? std::abs(z) / dual_norm : 0);
    }
    return radii;
  }

  Ledger ledger(const std::string& folder) const {
    return Ledger::open(temp_ / folder / "ledger.sqlite");
  }

  models::Classifier model_ = toy_model();
  data::Dataset data_ = toy_data(kCurveImages);
  TempFolder temp_;
};

constexpr auto kAny = [](const AttackRadii&) { return true; };

TEST_F(Curve, OfALinearModelIsItsExactSurvivalFunction) {
  const auto radii = run(searches(), "linf").radii(kAny);
  const auto truth = exact(toy_weight().abs().sum().item<double>());
  ASSERT_EQ(radii.size(), truth.size());
  double right = 0;
  for (std::size_t i = 0; i < radii.size(); ++i) {
    right += truth[i] > 0;
    EXPECT_GE(radii[i], truth[i] * (1 - 1e-4)) << i;  // no attack beats the optimum
    EXPECT_LE(radii[i], truth[i] * 1.01 + 1e-6) << i;
  }
  ASSERT_GT(right, 10);
  const SecurityCurve found(radii, 1), optimum(truth, 1);
  for (const auto& point : optimum.points(100)) {
    EXPECT_GE(found.robust(point.epsilon * (1 - 1e-4)), point.robust);
    EXPECT_LE(found.robust(point.epsilon * 1.01 + 1e-6), point.robust);
  }
}

TEST_F(Curve, InL2TheSameHoldsWithTheDualNorm) {
  const auto radii =
      run(searches({.curve_attacks = "ddn(steps=100), deepfool"}, Norm::l2), "l2").radii(kAny);
  const auto truth = exact(toy_weight().norm().item<double>());
  for (std::size_t i = 0; i < radii.size(); ++i) {
    EXPECT_GE(radii[i], truth[i] * (1 - 1e-4)) << i;
    EXPECT_LE(radii[i], truth[i] * 1.05 + 1e-6) << i;
  }
}

TEST_F(Curve, AnchorsAttackOnlyWhatIsRobustThereAndLowerTheCurve) {
  // One step of FMN finds norms far too large, so that the anchors must disagree.
  const auto suite = searches({.curve_attacks = "fmn(steps=1)", .anchors = "0.02,0.05,0.1"});
  const auto data = run(suite, "anchored");
  const auto curve = curve_json(data, 0.95);
  ASSERT_EQ(curve["anchors"].size(), 3u);
  const SecurityCurve optimum(exact(toy_weight().abs().sum().item<double>()), 1);
  double largest = 0, before = 1;
  for (const auto& anchor : curve["anchors"]) {
    EXPECT_EQ(anchor["attack"], "apgd-ce");  // two classes
    const double epsilon = anchor["epsilon"], robust = anchor["robust"];
    EXPECT_NEAR(robust, optimum.robust(epsilon), 1e-9) << epsilon;
    EXPECT_NEAR(anchor["curve"].get<double>() - robust, anchor["disagreement"], 1e-12);
    EXPECT_LE(robust, before);
    before = robust;
    largest = std::max(largest, anchor["disagreement"].get<double>());
  }
  EXPECT_GT(largest, 0.1);
  EXPECT_EQ(curve["largest_disagreement"]["disagreement"], largest);
  const auto searched = data.radii([](const auto& attack) { return attack.search; });
  for (const auto& attack : data.attacks) {
    if (attack.search) continue;
    std::int64_t left = 0;
    for (const double radius : searched) left += radius > attack.epsilon;
    EXPECT_LE(attack.attacked, left);
  }
}

TEST_F(Curve, AnInterruptedRunEndsInTheLedgerOfAWholeOne) {
  const auto suite = searches();
  run(suite, "whole");
  for (const std::string stage : {"natural", "fmn", "deepfool"}) {
    EXPECT_THROW(run(suite, stage, false, stage), run::Interrupted);
    run(suite, stage, true);
    EXPECT_EQ(bytes_of(temp_ / stage / "ledger.sqlite"),
              bytes_of(temp_ / "whole" / "ledger.sqlite"))
        << stage;
  }
  EXPECT_HAS(message_of<DataError>([&] {
               run(searches({.curve_attacks = "fmn(steps=60), deepfool", .anchors = "0.1,0.2,0.3"}),
                   "whole", true);
             }),
             "afterwards");
}

TEST_F(Curve, ASweepNeverAttacksAgainWhatASmallerBudgetBroke) {
  const auto suite = sweep_suite({.suite = "apgd-ce(steps=10)"}, Norm::linf, {0.02, 0.05, 0.1});
  const auto data = run(suite, "sweep");
  const auto curve = curve_json(data, 0.95);
  EXPECT_EQ(curve["kind"], "sweep");
  EXPECT_TRUE(curve["anchors"].empty());
  EXPECT_TRUE(curve["largest_disagreement"].is_null());
  ASSERT_EQ(curve["points"].size(), 4u);
  const SecurityCurve optimum(exact(toy_weight().abs().sum().item<double>()), 1);
  for (const auto& point : curve["points"])
    EXPECT_NEAR(point["robust"], optimum.robust(point["epsilon"]), 1e-9) << point;
  std::int64_t left = data.attacks.front().attacked;
  for (const auto& attack : data.attacks) {
    EXPECT_EQ(attack.attacked, left) << attack.name;
    left -= std::ssize(attack.radii);
  }
  EXPECT_EQ(curve["censored"], left);
}

TEST_F(Curve, OfLedgersIsThatOfTheRun) {
  const auto data = run(searches(), "run");
  std::vector<NamedLedger> ledgers;
  ledgers.push_back({"run", ledger("run")});
  auto joined = joined_curve_data(ledgers);
  EXPECT_EQ(joined.radii(kAny), data.radii(kAny));
  EXPECT_EQ(joined.reach(), 1);
  EXPECT_EQ(curve_json(joined, 0.95)["points"], curve_json(data, 0.95)["points"]);
}

TEST_F(Curve, RefusesLedgersThatDoNotBelongTogetherOrHoldNoSmallestNorms) {
  run(searches(), "a");
  run(searches({.curve_attacks = "ddn(steps=10)"}, Norm::l2), "l2");
  run(sweep_suite({.suite = "apgd-ce(steps=3)"}, Norm::linf, {0.05}), "sweep");
  model_ = model_of([](const at::Tensor& x) {
    const auto z = x.flatten(1).sum(1) - 3;
    return at::stack({at::zeros_like(z), z}, 1);
  });
  run(searches(), "model");
  const auto message = [&](const std::vector<std::string>& names) {
    return message_of<DataError>([&] {
      std::vector<NamedLedger> ledgers;
      for (const auto& name : names) ledgers.push_back({name, ledger(name)});
      joined_curve_data(ledgers);
    });
  };
  EXPECT_HAS(message({"a", "model"}), "model: evaluates another model than a");
  EXPECT_HAS(message({"a", "l2"}), "l2: its attacks are of norm l2, those of a of linf");
  EXPECT_HAS(message({"sweep"}), "no attack looked for the smallest norm");
  EXPECT_HAS(message({"sweep"}), "namid curve MODEL --norm linf");
  EXPECT_EQ(message({"a", "sweep"}), "no such error");  // the sweep is an anchor of a
}

TEST_F(Curve, SaysWhatIsWrongWithItsOptions) {
  const auto message = [&](const CurveOptions& options) {
    return message_of<OptionError>([&] { searches(options); });
  };
  EXPECT_HAS(message({.curve_attacks = "square"}), "square does not look for the smallest norm");
  EXPECT_HAS(message({.anchors = "0.1,0.2"}), "anchors: expected 3 or more");
  EXPECT_HAS(message({.anchors = "0.1,0.2,2"}), "got '2'");
  EXPECT_HAS(message({.anchors = "0.1,0.2,0.2"}), "different");
  EXPECT_HAS(message({.anchors = "0.1,x,0.2"}), "got 'x'");
  EXPECT_THROW(check_curve({.shard = "1/2"}), OptionError);
  EXPECT_THROW(searches({}, Norm::wasserstein), OptionError);
  EXPECT_EQ(parse_radii("8/255, 2/255", "epsilons", 1, 1),
            (std::vector<double>{2. / 255, 8. / 255}));
}

}  // namespace
}  // namespace namid::eval
