// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/precision.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "namid/core/error.h"

namespace namid::eval {
namespace {

/// The toy's logits by a matrix product, which bfloat16 rounds.
models::Classifier product_model(double scale = 1) {
  const auto weight = at::stack({at::zeros(6), toy_weight() * scale}, 1);
  return model_of([weight](const at::Tensor& x) { return at::matmul(x.flatten(1), weight); });
}

class TakePrecision : public ::testing::Test {
 protected:
  PrecisionTaken take(Precision asked, const Stopwatch& stopwatch) {
    return take_precision(asked, {model_, model_, dataset_, 8}, stopwatch);
  }
  models::Classifier model_ = product_model();
  data::Dataset dataset_ = toy_data(20);
};

Stopwatch fixed_times(double float32, double bfloat16, std::vector<Precision>* order = nullptr) {
  return [=](Precision precision, const std::function<void()>&) {
    if (order) order->push_back(precision);
    return precision == Precision::float32 ? float32 : bfloat16;
  };
}

TEST_F(TakePrecision, AutoTakesTheSmallerOfTheTwoTimes) {
  const auto faster = take(Precision::automatic, fixed_times(10, 7));
  EXPECT_TRUE(faster.bfloat16);
  EXPECT_EQ(faster.times->float32_ms, 10);
  EXPECT_EQ(faster.times->bfloat16_ms, 7);
  EXPECT_FALSE(take(Precision::automatic, fixed_times(7, 10)).bfloat16);
  EXPECT_FALSE(take(Precision::automatic, fixed_times(7, 7)).bfloat16) << "float32 where equal";
}

TEST_F(TakePrecision, BothAreTimedByTurnsAndOneSlowTurnChangesNothing) {
  std::vector<Precision> order;
  take(Precision::automatic, fixed_times(2, 1, &order));
  ASSERT_EQ(order.size(), 10u);
  for (std::size_t i = 0; i < order.size(); ++i)
    EXPECT_EQ(order[i], i % 2 ? Precision::bfloat16 : Precision::float32);
  int turn = 0;
  const auto taken =
      take(Precision::automatic, [&](Precision precision, const std::function<void()>&) {
        if (precision == Precision::float32) return 10.0;
        return ++turn == 2 ? 1000.0 : 9.0;
      });
  EXPECT_EQ(taken.times->bfloat16_ms, 9);
  EXPECT_TRUE(taken.bfloat16);
}

TEST_F(TakePrecision, OnlyAutoTakesTimes) {
  const Stopwatch never = [](Precision, const std::function<void()>&) -> double {
    throw std::logic_error("timed");
  };
  EXPECT_FALSE(take(Precision::float32, never).bfloat16);
  const auto asked = take(Precision::bfloat16, never);
  EXPECT_TRUE(asked.bfloat16);
  EXPECT_FALSE(asked.times);
}

TEST_F(TakePrecision, WhatIsTimedRunsInItsPrecision) {
  int passes = 0;
  bool lowered = false;
  const auto model = model_of([&](const at::Tensor& x) {
    const auto weight = at::stack({at::zeros(6), toy_weight()}, 1);
    const auto z = at::matmul(x.flatten(1), weight);
    ++passes;
    lowered = z.scalar_type() == at::kBFloat16;
    return z;
  });
  take_precision(Precision::automatic, {model, model, dataset_, 8},
                 [&](Precision precision, const std::function<void()>& pass) {
                   const int before = passes;
                   pass();
                   EXPECT_EQ(passes, before + 1);
                   EXPECT_EQ(lowered, precision == Precision::bfloat16);
                   return wall_clock(precision, pass);
                 });
}

TEST_F(TakePrecision, TheThresholdFollowsTheMeasuredDifference) {
  const auto taken = take(Precision::bfloat16, wall_clock);
  EXPECT_GT(taken.difference, 0);
  EXPECT_GE(taken.near, 8 * taken.difference);
  EXPECT_LT(taken.near, 16 * taken.difference);
  EXPECT_EQ(std::exp2(std::round(std::log2(taken.near))), taken.near) << "a power of two";
  EXPECT_EQ(near_boundary(0.03), 0.25);
  EXPECT_EQ(near_boundary(0.03125), 0.25);
  EXPECT_EQ(near_boundary(0.032), 0.5);
  EXPECT_EQ(near_boundary(0), 0);
  const std::vector<std::int64_t> order = {7,  3,  0,  19, 5,  1, 2,  4,  6,  8,
                                           10, 18, 17, 16, 15, 9, 11, 14, 13, 12};
  const auto shuffled = dataset_.rows(order);
  EXPECT_EQ(take_precision(Precision::bfloat16, {model_, model_, shuffled, 8}).difference,
            taken.difference)
      << "whatever the order of the data";
}

TEST_F(TakePrecision, LogitsThatAreNotFiniteAreAnError) {
  const auto overflowing = product_model(std::numeric_limits<float>::infinity());
  EXPECT_HAS(message_of<NumericError>([&] {
               take_precision(Precision::automatic, {overflowing, overflowing, dataset_, 8});
             }),
             "--precision float32");
}

TEST(PrecisionRecord, HoldsTheDecisionAndGivesItBack) {
  const PrecisionTaken taken{.asked = Precision::automatic,
                             .bfloat16 = true,
                             .times = PrecisionTimes{12.5, 7.25},
                             .difference = 0.03,
                             .near = 0.25};
  const auto record = to_json(taken);
  EXPECT_EQ(record, (nlohmann::json{{"asked", "auto"},
                                    {"taken", "bfloat16"},
                                    {"largest_difference", 0.03},
                                    {"near", 0.25},
                                    {"float32_ms", 12.5},
                                    {"bfloat16_ms", 7.25}}));
  EXPECT_EQ(to_json(precision_taken(record)), record);
  EXPECT_EQ(to_json({}), (nlohmann::json{{"asked", "float32"}, {"taken", "float32"}}));
  EXPECT_EQ(to_json(precision_taken(to_json({}))), to_json({}));
  for (const nlohmann::json& odd : {nlohmann::json::object(), nlohmann::json("bfloat16"),
                                    nlohmann::json{{"asked", "float16"}, {"taken", "float16"}}})
    EXPECT_HAS(message_of<DataError>([&] { precision_taken(odd); }), "precision");
}

}  // namespace
}  // namespace namid::eval
