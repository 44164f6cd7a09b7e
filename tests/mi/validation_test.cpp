// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/validation.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"

namespace namid::mi {
namespace {

/// Small enough for a test: a second for all cells.
ValidationOptions small() {
  return {.seeds = 1,
          .steps = 120,
          .image_steps = 60,
          .hidden = 32,
          .embedding = 32,
          .units = 16,
          .test_batch = 512,
          .test_batches = 2,
          .dimensions = {2},
          .information = {1},
          .images = false};
}

TEST(Validation, TheEstimatorIsRightOnASmallScaleAndItsControlsHold) {
  const auto result = validate_estimator(small());
  ASSERT_EQ(result["cells"].size(), 2u);
  for (const auto& cell : result["cells"]) {
    EXPECT_NEAR(cell["mean"].get<double>(), 1, 0.1) << cell;
    EXPECT_TRUE(cell["right"].get<bool>());
    EXPECT_FALSE(cell["saturated"].get<bool>());
    EXPECT_EQ(cell["estimates"].size(), 1u);
  }
  ASSERT_EQ(result["controls"].size(), 3u);
  for (const auto& control : result["controls"]) EXPECT_TRUE(control["right"].get<bool>());
  EXPECT_EQ(result["asked"], 5);
  EXPECT_EQ(result["right"], 5);
  EXPECT_EQ(result["kind"], "lower");
  const auto text = validation_text(result);
  EXPECT_NE(text.find("5 of 5"), std::string::npos) << text;
  EXPECT_EQ(text.find("WRONG"), std::string::npos) << text;
}

TEST(Validation, ReadsLabelsOffImagesByTheMiNetworks) {
  auto options = small();
  options.batch_size = 64;
  const Known known{.family = KnownFamily::label, .dimension = 10, .information = 1};
  EXPECT_NEAR(estimate_known(known, options, 0), 1, 0.15);
  auto shuffled = known;
  shuffled.shuffled = true;
  EXPECT_LT(estimate_known(shuffled, options, 0), 0.05);
}

TEST(Validation, SaysSoWhereTheBoundIsSaturatedOrWrong) {
  auto options = small();
  options.controls = false;
  options.information = {2, 8};
  options.dimensions = {8};
  options.test_batch = 8;  // no estimate above log 8 = 2.08
  options.test_batches = 64;
  options.bound.bound = Bound::info_nce;
  const auto result = validate_estimator(options);
  ASSERT_EQ(result["cells"].size(), 4u);
  for (const auto& cell : result["cells"]) {
    const bool far = cell["truth"] == 8;
    EXPECT_EQ(cell["saturated"].get<bool>(), far) << cell;
    EXPECT_EQ(cell["asked"].get<bool>(), !far);
    EXPECT_FALSE(cell["right"].get<bool>());
    EXPECT_LE(cell["mean"].get<double>(), std::log(8.));
  }
  EXPECT_EQ(result["failed"].size(), 2u);
  const auto text = validation_text(result);
  EXPECT_NE(text.find("off, saturated"), std::string::npos) << text;
  EXPECT_NE(text.find("WRONG"), std::string::npos) << text;
  EXPECT_NE(text.find("0 of 2"), std::string::npos) << text;
}

TEST(Validation, EstimatesOfAnIndexAreTheSameEveryTimeAndOthersDiffer) {
  auto options = small();
  options.steps = 5;
  const Known known{.dimension = 2};
  const double first = estimate_known(known, options, 0);
  EXPECT_EQ(estimate_known(known, options, 0), first);
  EXPECT_NE(estimate_known(known, options, 1), first);
  options.seed = 1;
  EXPECT_NE(estimate_known(known, options, 0), first);
}

TEST(Validation, ReportsItsProgressAndStopsWhenAsked) {
  auto options = small();
  options.steps = 1;
  run::StopToken stop;
  std::vector<std::int64_t> done;
  const auto progress = [&](const std::string&, std::int64_t at, std::int64_t total) {
    EXPECT_EQ(total, 6);
    done.push_back(at);
    if (at == 3) stop.request(2);
  };
  EXPECT_THROW(validate_estimator(options, {.stop = &stop, .progress = progress}),
               run::Interrupted);
  EXPECT_EQ(done, (std::vector<std::int64_t>{0, 1, 2, 3}));
}

TEST(Validation, RefusesBoundsWithoutScoresBadOptionsAndDivergence) {
  auto options = small();
  options.bound.bound = Bound::club;
  EXPECT_THROW(check(options), OptionError);
  options = small();
  options.test_batch = 1;
  EXPECT_THROW(check(options), OptionError);
  options = small();
  options.bound = {.bound = Bound::interpolated, .alpha = 1.5};
  EXPECT_THROW(check(options), OptionError);
  options = small();
  options.bound.bound = Bound::nwj;
  options.lr = 1e6;
  EXPECT_THROW(estimate_known({.dimension = 2}, options, 0), NumericError);
}

}  // namespace
}  // namespace namid::mi
