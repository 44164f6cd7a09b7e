// SPDX-License-Identifier: Apache-2.0
#include "attacks/contract.h"

namespace namid::attacks {
namespace {

// Few steps are steep ones, which rounding turns: entropy keeps it from choosing other moves.
NAMID_ATTACK_CONTRACT(FrankWolfe, {.attack = "frank-wolfe",
                                   .options = {{"steps", "3"}, {"gamma", "0.2"}},
                                   .images_only = true});
NAMID_ATTACK_CONTRACT(TransportPgd, {.attack = "transport-pgd",
                                     .options = {{"steps", "5"}},
                                     .images_only = true});
NAMID_ATTACK_CONTRACT(ProjectedSinkhorn,
                      {.attack = "projected-sinkhorn",
                       .options = {{"steps", "3"}, {"sinkhorn_iterations", "50"}},
                       .images_only = true});

/// Products round by the batch's size, and a pixel that is exactly full lets no gradient through:
/// steps then part. In float64 nothing is left of the batch.
TEST(TransportInFloat64, ASampleAloneIsAttackedAsInItsBatchToTheBit) {
  const Shape shape{3, 5, 7};
  const auto model = curved_in_float64(shape);
  const auto x = images(8, shape), y = labels(8, 4);
  const std::vector<Contract> attacks{
      {.attack = "frank-wolfe", .options = {{"steps", "5"}}},
      {.attack = "transport-pgd", .options = {{"steps", "5"}}},
      {.attack = "projected-sinkhorn", .options = {{"steps", "3"}, {"sinkhorn_iterations", "50"}}}};
  for (const auto& contract : attacks) {
    const auto attack = contracted(contract, {Norm::wasserstein, 0.7});
    const auto together = attack(model, x, y);
    for (std::int64_t i = 0; i < 8; ++i) {
      const auto alone = attack(model, x.narrow(0, i, 1), y.narrow(0, i, 1));
      EXPECT_TRUE(same_bits(alone.x_adv[0], together.x_adv[i])) << contract.attack << ", " << i;
    }
  }
}

class TransportDistance : public ::testing::TestWithParam<Contract> {};

// On two pixels the cheapest way to change w · x + b is to move mass to the heavier one.
TEST_P(TransportDistance, FoolsALinearModelBeyondItAndNotBelow) {
  const auto weight = at::tensor({0.F, 0.F, -1.F, 2.F}).view({2, 2});
  const auto x = at::tensor({.8F, .3F}).view({1, 1, 1, 2}), y = at::zeros({1}, at::kLong);
  constexpr double kLead = 0.35;  // z_0 − z_1
  const auto model = linear(weight, doubles({0, .8 - .6 - kLead}).to(at::kFloat), {1, 1, 2});
  const double distance = kLead / 3 / 1.1;
  const auto fooled_at = [&](double factor) {
    return contracted(GetParam(), {Norm::wasserstein, distance * factor})(model, x, y)
        .success.item<bool>();
  };
  EXPECT_FALSE(fooled_at(0.999));
  EXPECT_TRUE(fooled_at(GetParam().reach));
}

INSTANTIATE_TEST_SUITE_P(
    All, TransportDistance,
    ::testing::Values(
        Contract{
            .attack = "frank-wolfe", .options = {{"interval_tolerance", "1e-7"}}, .reach = 1.05},
        Contract{.attack = "transport-pgd", .options = {{"step_size", "0.05"}}, .reach = 1.01},
        Contract{.attack = "projected-sinkhorn",
                 .options = {{"lambda", "100000"}, {"steps", "10"}, {"sinkhorn_iterations", "200"}},
                 .reach = 1.05}),
    [](const auto& info) {
      auto name = info.param.attack;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace namid::attacks
