// SPDX-License-Identifier: Apache-2.0
//
// Trained networks of others on real images.
#include <gtest/gtest.h>

#include "engine/models.h"
#include "namid/attacks/pgd.h"
#include "namid/engine/compile.h"
#include "support/known_models.h"

namespace namid::engine {
namespace {

using testing::known_model;

class KnownNetworksData : public ::testing::TestWithParam<const char*> {};

TEST_P(KnownNetworksData, LogitsGradientsAndAttacksAreTheModels) {
  NAMID_NEEDS_DATA();
  const auto model = known_model(GetParam());
  const auto done = try_compile(model);
  ASSERT_EQ(done.refusal, "");
  const auto batch = testing::mnist(64);
  const auto frozen = model.frozen_eval();
  const auto along = direction(64, 10);
  const auto ours = pass(done.model, batch.x, along), theirs = pass(model, batch.x, along);
  EXPECT_LE(relative_gap(ours.logits, theirs.logits), 1e-4);
  EXPECT_TRUE(at::equal(ours.logits.argmax(1), theirs.logits.argmax(1)));
  // On even background the windows of a max-pool are ties, which rounding breaks.
  EXPECT_GE(cosine(ours.gradient.view({1, -1}), theirs.gradient.view({1, -1})), 0.99);
  const auto uneven = 0.95 * batch.x + 0.05 * images(64, {1, 28, 28});
  const auto expected = pass(model, uneven, along).gradient.view({1, -1});
  for (const auto kernel : {Kernel::automatic, Kernel::direct})
    EXPECT_GE(cosine(pass(compile(model, {.kernel = kernel}), uneven, along).gradient.view({1, -1}),
                     expected),
              0.99999)
        << to_string(kernel);
  const attacks::PgdOptions options{.budget = {.epsilon = 0.1}, .steps = 10, .step_size = 0.02};
  const auto attack = [&](const models::Classifier& seen) {
    return attacks::pgd(seen, batch.x, batch.y, options, {.ids = batch.ids}).success;
  };
  EXPECT_TRUE(at::equal(attack(done.model), attack(model)));
}

INSTANTIATE_TEST_SUITE_P(Networks, KnownNetworksData,
                         ::testing::Values("lenet5_advtrained", "lenet5_clntrained",
                                           "convex_mnist"));

}  // namespace
}  // namespace namid::engine
