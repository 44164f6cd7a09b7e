// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "namid/train/averaging.h"
#include "namid/train/epoch_means.h"
#include "namid/train/named_parameters.h"
#include "namid/train/schedule.h"
#include "train/workbench.h"

namespace namid::train {
namespace {

using testing::message_of;
using testing::small_model;

TEST(Schedule, LowersTheRateFromTheMilestoneOn) {
  const std::vector<int> paper = {75, 90};
  EXPECT_DOUBLE_EQ(learning_rate(0.1, 0.1, paper, 1), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(0.1, 0.1, paper, 74), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(0.1, 0.1, paper, 75), 0.01);
  EXPECT_DOUBLE_EQ(learning_rate(0.1, 0.1, paper, 89), 0.01);
  EXPECT_DOUBLE_EQ(learning_rate(0.1, 0.1, paper, 90), 0.001);
}

TEST(Schedule, EqualsMultiStepLrOneEpochLater) {
  for (int epoch = 1; epoch <= 25; ++epoch) {
    const int counter = epoch - 1;  // MultiStepLR counts finished epochs
    const double expected = 1e-3 * (counter >= 20 ? 0.25 : counter >= 10 ? 0.5 : 1);
    EXPECT_DOUBLE_EQ(learning_rate(1e-3, 0.5, {21, 11}, epoch), expected) << epoch;
  }
}

TEST(WeightAverage, FollowsItsClosedForm) {
  const auto model = small_model();
  WeightAverage average(0.75, model);
  const at::NoGradGuard no_grad;
  const auto weight = find_tensor(model.state_dict(), "fc1.weight").detach();
  const auto start = weight.clone();
  auto expected = start.to(at::kDouble) * std::pow(0.75, 4);
  for (int step = 1; step <= 4; ++step) {
    weight.copy_(start + step);
    expected += 0.25 * std::pow(0.75, 4 - step) * (start + step).to(at::kDouble);
    average.update(model);
  }
  const auto got = find_tensor(average.model().state_dict(), "fc1.weight").to(at::kDouble);
  EXPECT_LT((got - expected).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(at::equal(weight, start + 4)) << "the model itself stays";
}

TEST(WeightAverage, CopiesBuffersAndStaysInEvalMode) {
  const auto model = small_model();
  WeightAverage average(0.9, model);
  model.train();
  model(at::rand({4, 1, 8, 8}));
  average.update(model);
  for (const char* name : {"bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked"})
    EXPECT_TRUE(at::equal(find_tensor(average.model().state_dict(), name),
                          find_tensor(model.state_dict(), name)))
        << name;
  EXPECT_FALSE(average.model().is_training());
  EXPECT_TRUE(model.is_training());
}

TEST(EpochMeans, WeighsBySamplesAndSkipsWhatABatchDoesNotReport) {
  EpochMeans means;
  means.add({{"loss", 1}, {"cosine", 4}}, 8);
  means.add({{"loss", 5}}, 2);
  EXPECT_EQ(means.means(), (Metrics{{"loss", 1.8}, {"cosine", 4}}));
}

TEST(EpochMeans, StateReadsBackExactly) {
  EpochMeans means, other;
  means.add({{"loss", 0.1}, {"bad", std::numeric_limits<double>::quiet_NaN()}}, 3);
  means.add({{"loss", 1.0 / 3}}, 7);
  other.load_state(nlohmann::json::parse(means.state().dump()));
  EXPECT_EQ(other.means().at("loss"), means.means().at("loss"));
  EXPECT_TRUE(std::isnan(other.means().at("bad")));
}

TEST(NamedParameters, FindsNamesBySharedMemory) {
  const auto model = small_model();
  const auto named = named_parameters(model.state_dict(), model.parameters());
  ASSERT_EQ(named.size(), model.parameters().size());
  EXPECT_EQ(named.front().first, "conv1.weight");
  for (const auto& [name, parameter] : named) EXPECT_TRUE(parameter.requires_grad()) << name;
}

TEST(NamedParameters, RefusesParametersThatCouldNotBeSaved) {
  const auto model = small_model();
  const auto message = message_of<OptionError>(
      [&] { named_parameters(small_model().state_dict(), model.parameters()); });
  EXPECT_NE(message.find("not in its state dict"), std::string::npos);
}

TEST(NamedParameters, PrefixesComeAndGo) {
  const TensorMap tensors{{"a", at::ones({1})}, {"b", at::ones({2})}};
  auto both = with_prefix("x.", tensors);
  both.emplace_back("y.c", at::ones({3}));
  const auto back = without_prefix("x.", both);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[1].first, "b");
}

}  // namespace
}  // namespace namid::train
