// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/a3.h"

#include <nlohmann/json.hpp>

#include "namid/eval/discarding.h"
#include "namid/eval/evaluation.h"
#include "support/known_models.h"
#include "support/temp_folder.h"

namespace namid::testing {
namespace {

/// A part of the schedule is enough on 100 images: AutoAttack leaves 89 or 90 of them, by seed.
class A3ParityData : public ::testing::Test {
 protected:
  static constexpr int kRounds = 6;
  const attacks::Budget budget{attacks::Norm::linf, 0.3};
};

TEST_F(A3ParityData, BreaksWhatAutoAttackBreaksOnTheTrainedNetwork) {
  NAMID_NEEDS_DATA();
  const auto model = known_model("lenet5_advtrained");
  const auto batch = mnist(100);
  SampleIds ids;
  for (std::uint64_t i = 0; i < 100; ++i) ids.push_back(i);
  const auto result =
      attacks::a3(model, batch.x, batch.y, {.budget = budget, .restarts = kRounds}, {.ids = ids});
  const auto left = 100 - count(result.success);
  EXPECT_GE(left, 89);
  EXPECT_LE(left, 90);
}

TEST_F(A3ParityData, TheProtocolLeavesNoMoreAndLearnsItsDirection) {
  NAMID_NEEDS_DATA();
  const auto model = known_model("lenet5_advtrained");
  const auto dataset = data::load_dataset(
      {.data = (data_folder() / "mnist").string(), .test_limit = 100}, data::Part::test);
  auto attack = eval::a3_protocol(budget);
  attack.rounds = [](std::int64_t) { return kRounds; };
  TempFolder folder;
  const auto result = eval::evaluate_with({.model = model,
                                           .dataset = dataset,
                                           .options = {.compute_batch = 50, .gallery = 0},
                                           .folder = folder.path()},
                                          {"a3", eval::Combine::worst_case, {attack}});
  const auto left = result.at("robust").at("correct").get<std::int64_t>();
  EXPECT_GE(left, 89);
  EXPECT_LE(left, 90);
}

}  // namespace
}  // namespace namid::testing
