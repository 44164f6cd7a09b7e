// SPDX-License-Identifier: Apache-2.0
#include "support/known_models.h"

namespace namid::testing {
namespace {

TEST(KnownModelsData, LogitsAndInputGradientsAreThoseOfTheTraces) {
  NAMID_NEEDS_DATA();
  const Trace clean("clean_mnist_0_99"), gradients("clean_input_gradients_mnist_0_19");
  const auto batch = mnist(100);
  EXPECT_TRUE(at::equal(batch.x, clean["images_u8"].to(at::kFloat) / 255));
  EXPECT_TRUE(at::equal(batch.y, clean["labels"]));
  for (const std::string name : {"lenet5_advtrained", "lenet5_clntrained"}) {
    const auto model = known_model(name);
    EXPECT_TRUE(at::allclose(model(batch.x), clean["logits_" + name], 1e-4, 1e-4)) << name;
    const auto x = batch.x.slice(0, 0, 20).clone().requires_grad_(true);
    at::cross_entropy_loss(model(x), batch.y.slice(0, 0, 20), {}, at::Reduction::Sum).backward();
    EXPECT_TRUE(at::allclose(x.grad(), gradients["grad_sum_ce_" + name], 1e-4, 1e-5)) << name;
  }
}

TEST(KnownModelsData, NaturalAccuraciesAreThePublishedOnes) {
  NAMID_NEEDS_DATA();
  const auto batch = mnist(10000);
  const at::NoGradGuard no_grad;
  const auto right = [&](const char* name) {
    return (known_model(name)(batch.x).argmax(1) == batch.y).sum().item<std::int64_t>();
  };
  EXPECT_EQ(right("lenet5_advtrained"), 9864);
  EXPECT_EQ(right("lenet5_clntrained"), 9889);
  EXPECT_EQ(right("convex_mnist"), 9820);
}

}  // namespace
}  // namespace namid::testing
