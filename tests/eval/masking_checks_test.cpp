// SPDX-License-Identifier: Apache-2.0
// Each check at and around its threshold. Binomial tails are computed by hand: with k wins and no
// loss the one-sided p is 2^-k, and the lower limit of the share of wins is 0.01^(1/k).
#include "namid/eval/masking_checks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace namid::eval {
namespace {

constexpr const char* kNext = "namid evaluate m";

double measured(const MaskingCheck& check, const std::string& name) {
  for (const auto& [key, value] : check.measured)
    if (key == name) return value;
  ADD_FAILURE() << check.name << " has no " << name;
  return 0;
}

using Comparison = MaskingCheck (*)(const PairedCounts&, const std::string&);

CheckStatus status(Comparison check, std::int64_t other, std::int64_t white) {
  return check({.only_first = other, .only_second = white, .images = 100}, kNext).status;
}

TEST(MaskingChecks, AnAttackWithoutGradientsFailsTheModelOnceItsGainIsSure) {
  for (const auto check : {check_black_box, check_random, check_transfer}) {
    EXPECT_EQ(status(check, 0, 0), CheckStatus::pass);
    EXPECT_EQ(status(check, 0, 60), CheckStatus::pass);
    EXPECT_EQ(status(check, 4, 0), CheckStatus::pass);  // share of at least 0.83 % only
    EXPECT_EQ(status(check, 5, 0), CheckStatus::warn);  // at least 1.29 %
    EXPECT_EQ(status(check, 6, 0), CheckStatus::warn);  // p = 2^-6 > 1 %
    EXPECT_EQ(status(check, 7, 0), CheckStatus::fail);  // p = 2^-7 < 1 %
    EXPECT_EQ(status(check, 7, 1), CheckStatus::warn);  // p = 9 / 256
    EXPECT_EQ(status(check, 20, 60), CheckStatus::warn);
    EXPECT_EQ(status(check, 100, 0), CheckStatus::fail);
  }
}

TEST(MaskingChecks, AnotherWhiteBoxAttackMayGainFivePercent) {
  for (const auto check : {check_more_steps, check_other_loss}) {
    EXPECT_EQ(status(check, 4, 0), CheckStatus::pass);
    EXPECT_EQ(status(check, 7, 0), CheckStatus::warn);
    EXPECT_EQ(status(check, 12, 0), CheckStatus::warn);  // 0.12 (2 · 0.01^(1/12) − 1) = 4.35 %
    EXPECT_EQ(status(check, 13, 0), CheckStatus::fail);  // 5.24 %
    EXPECT_EQ(status(check, 40, 38), CheckStatus::warn);
  }
}

TEST(MaskingChecks, AComparisonTellsItsNumbers) {
  const auto check = check_more_steps({.only_first = 13, .only_second = 0, .images = 100}, kNext);
  EXPECT_EQ(measured(check, "images"), 100);
  EXPECT_EQ(measured(check, "only_other"), 13);
  EXPECT_EQ(measured(check, "only_white_box"), 0);
  EXPECT_DOUBLE_EQ(measured(check, "gain"), 0.13);
  EXPECT_NEAR(measured(check, "gain_lower"), 0.13 * (2 * std::pow(0.01, 1.0 / 13) - 1), 1e-9);
  EXPECT_NEAR(measured(check, "p_value"), 2 * std::pow(0.5, 13), 1e-12);
  EXPECT_NE(check.threshold.find("5 %"), std::string::npos) << check.threshold;
  EXPECT_NE(check.threshold.find("1 %"), std::string::npos) << check.threshold;
}

TEST(MaskingChecks, OnlyWhatIsFoundIsToBeFollowed) {
  const auto passed = check_black_box({0, 3, 100}, kNext),
             failed = check_black_box({9, 0, 100}, kNext);
  EXPECT_EQ(passed.run_next, "");
  EXPECT_EQ(failed.run_next, kNext);
  EXPECT_NE(passed.meaning, failed.meaning);
  EXPECT_EQ(check_black_box({5, 0, 100}, kNext).run_next, kNext);  // a warning
}

TEST(MaskingChecks, SurvivorsOfTheWholeBox) {
  const auto of = [](std::int64_t k) { return check_large_epsilon(k, 100, 1, kNext).status; };
  EXPECT_EQ(of(0), CheckStatus::pass);
  EXPECT_EQ(of(1), CheckStatus::warn);
  EXPECT_EQ(of(4), CheckStatus::warn);  // P(X ≥ 4 | 100, 1 %) = 1.8 %
  EXPECT_EQ(of(5), CheckStatus::fail);  // 0.3 %
  EXPECT_EQ(measured(check_large_epsilon(5, 100, 28, kNext), "epsilon"), 28);
}

TEST(MaskingChecks, ImagesWithoutGradient) {
  const auto of = [](std::int64_t k) { return check_zero_gradient(k, 100, kNext).status; };
  EXPECT_EQ(of(0), CheckStatus::pass);
  EXPECT_EQ(of(1), CheckStatus::warn);
  EXPECT_EQ(of(11), CheckStatus::warn);  // P(X ≥ 11 | 100, 5 %) = 1.15 %
  EXPECT_EQ(of(12), CheckStatus::fail);  // 0.43 %
  EXPECT_EQ(measured(check_zero_gradient(12, 100, kNext), "share"), 0.12);
}

TEST(MaskingChecks, ProbabilitiesAreNonNegativeRowsOfSumOne) {
  const auto of = [](double lowest, double error) {
    return check_outputs_are_logits({lowest, error}, kNext).status;
  };
  EXPECT_EQ(of(0, 0), CheckStatus::fail);
  EXPECT_EQ(of(0.01, 1e-4), CheckStatus::fail);
  EXPECT_EQ(of(0.01, 1.01e-4), CheckStatus::pass);
  EXPECT_EQ(of(-1e-6, 0), CheckStatus::pass);
}

TEST(MaskingChecks, OutputsThatMove) {
  for (const auto check : {check_stochastic, check_batch_dependence}) {
    const auto of = [&](double by) {
      return check({.logits = by, .changed = 0, .images = 50}, kNext).status;
    };
    EXPECT_EQ(of(0), CheckStatus::pass);
    EXPECT_EQ(of(1e-4), CheckStatus::pass);
    EXPECT_EQ(of(1.01e-4), CheckStatus::warn);
    EXPECT_EQ(of(1e-3), CheckStatus::warn);
    EXPECT_EQ(of(1.01e-3), CheckStatus::fail);
    EXPECT_EQ(of(std::numeric_limits<double>::quiet_NaN()), CheckStatus::fail);
  }
}

TEST(MaskingChecks, TheVerdictIsTheWorstStatus) {
  const auto of = [](std::vector<CheckStatus> all) {
    std::vector<MaskingCheck> checks;
    for (const auto each : all) checks.push_back({.name = "a", .status = each});
    return masking_verdict(checks);
  };
  using enum CheckStatus;
  EXPECT_EQ(of({}), pass);
  EXPECT_EQ(of({pass, skipped}), pass);
  EXPECT_EQ(of({warn, pass, skipped}), warn);
  EXPECT_EQ(of({warn, fail, pass}), fail);
  EXPECT_EQ(skipped_check("a", "why").status, skipped);
}

}  // namespace
}  // namespace namid::eval
