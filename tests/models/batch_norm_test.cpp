// SPDX-License-Identifier: Apache-2.0
#include "namid/models/batch_norm.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>

#include "namid/core/error.h"
#include "namid/models/registry.h"
#include "support/float64.h"
#include "support/waves.h"

namespace namid::models {
namespace {

using testing::deviation;
using testing::in_float64;
using testing::wave;

at::Tensor bn_images(double phase) {
  return 0.5 + 0.5 * wave({4, 3, 16, 16}, 0.013, phase);
}
Classifier residual() {
  return in_float64(create({.model = "resnet18", .width = 4}, {3, 16, 16}, 10, /*seed=*/1));
}
double state_deviation(const Classifier& a, const Classifier& b) {
  const auto s = a.state_dict(), t = b.state_dict();
  double largest = 0;
  for (std::size_t i = 0; i < s.size(); ++i)
    largest = std::max(largest, deviation(s[i].second, t[i].second));
  return largest;
}

TEST(BatchStatistics, ReplayIsAsGoodAsRunningAgain) {
  const auto literal = residual(), replayed = residual();
  const auto x = bn_images(0), x_adv = bn_images(1);
  for (const auto& image : {x_adv, x, x_adv, x, x_adv, x_adv, x}) literal(image);
  BatchStatistics of_x, of_adv;
  record_batch_statistics(
      replayed, [&] { return replayed(x); }, of_x);
  record_batch_statistics(
      replayed, [&] { return replayed(x_adv); }, of_adv);
  for (const auto* seen : {&of_adv, &of_x, &of_adv, &of_x, &of_adv, &of_adv, &of_x})
    seen->update_running();
  const double largest = state_deviation(literal, replayed);
  RecordProperty("deviation", std::to_string(largest));
  EXPECT_LT(largest, 1e-12);
  EXPECT_EQ(find_tensor(replayed.state_dict(), "bn1.num_batches_tracked").item<std::int64_t>(), 7);
  EXPECT_GT(state_deviation(residual(), replayed), 0.1) << "statistics did move";
}

TEST(BatchStatistics, ReachTheLayersThatTheForwardWentThrough) {
  const auto literal = residual(), replayed = residual();
  const auto x = bn_images(0);
  literal(x, Layer::internal);
  literal(x, Layer::internal);
  BatchStatistics seen;
  record_batch_statistics(
      replayed, [&] { return replayed(x, Layer::internal); }, seen);
  seen.update_running();
  seen.update_running();
  EXPECT_LT(state_deviation(literal, replayed), 1e-12);
}

TEST(BatchStatistics, RecordingLeavesTheModelAsItWas) {
  const auto untouched = residual(), model = residual();
  const auto x = bn_images(0);
  BatchStatistics seen;
  const auto logits = record_batch_statistics(
      model, [&] { return model(x); }, seen);
  EXPECT_EQ(state_deviation(untouched, model), 0);
  EXPECT_EQ(deviation(logits, untouched(x)), 0);
  EXPECT_THROW(record_batch_statistics(
                   model,
                   [&]() -> at::Tensor {
                     model(x);
                     throw NumericError("stop");
                   },
                   seen),
               NumericError);
  model(x);
  EXPECT_EQ(state_deviation(untouched, model), 0) << "statistics and momentum are restored";
}

TEST(BatchStatistics, GradientsDoNotKnowOfTheReplay) {
  const auto plain = residual(), replayed = residual();
  const auto x = bn_images(0);
  plain(x).square().sum().backward();
  BatchStatistics seen;
  const auto logits = record_batch_statistics(
      replayed, [&] { return replayed(x); }, seen);
  seen.update_running();
  seen.update_running();
  logits.square().sum().backward();
  const auto a = plain.parameters(), b = replayed.parameters();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(deviation(a[i].grad(), b[i].grad()), 0);
}

TEST(BatchStatistics, InEvalModeThereAreNone) {
  const auto untouched = residual(), model = residual();
  model.train(false);
  BatchStatistics seen;
  record_batch_statistics(
      model, [&] { return model(bn_images(0)); }, seen);
  seen.update_running();
  EXPECT_EQ(state_deviation(untouched, model), 0);
}

/// One layer with a cumulative average instead of a momentum.
class Cumulative final : public Network {
 public:
  Cumulative() {
    norm_ = register_module(
        "norm", torch::nn::BatchNorm1d(torch::nn::BatchNorm1dOptions(5).momentum(std::nullopt)));
  }
  at::Tensor forward(const at::Tensor& x, Layer) override { return norm_(x); }

 private:
  torch::nn::BatchNorm1d norm_{nullptr};
};

TEST(BatchStatistics, FollowACumulativeAverage) {
  const auto make = [] {
    return in_float64(Classifier(std::make_shared<Cumulative>(),
                                 {.name = "c", .num_classes = 5, .input_shape = {5}}));
  };
  const auto literal = make(), replayed = make();
  const auto x = wave({4, 5}, 0.7), other = wave({4, 5}, 1.3);
  for (const auto& batch : {x, other, x}) literal(batch);
  BatchStatistics of_x, of_other;
  record_batch_statistics(
      replayed, [&] { return replayed(x); }, of_x);
  record_batch_statistics(
      replayed, [&] { return replayed(other); }, of_other);
  for (const auto* seen : {&of_x, &of_other, &of_x}) seen->update_running();
  EXPECT_LT(state_deviation(literal, replayed), 1e-12);
}

TEST(BatchStatistics, ACallableIsRefused) {
  const Classifier model([](const at::Tensor& x) { return x; },
                         {.name = "f", .num_classes = 5, .input_shape = {5}});
  BatchStatistics seen;
  EXPECT_THROW(record_batch_statistics(
                   model,
                   [&] {
                     return model(wave({4, 5}, 1));
                   },
                   seen),
               OptionError);
}

}  // namespace
}  // namespace namid::models
