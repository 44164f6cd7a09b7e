// SPDX-License-Identifier: Apache-2.0
#include "support/known_models.h"

namespace namid::testing {
namespace {

/// The model with channels-last weights, also where `contiguous` would leave the order of a single
/// channel open: LibTorch may compute it by kernels that break ties of max-pools otherwise.
models::Classifier reordered(const std::string& name) {
  const auto model = known_model(name);
  for (auto& p : model.parameters())
    if (p.dim() == 4)
      p.set_data(
          at::empty(p.sizes(), p.options(), at::MemoryFormat::ChannelsLast).copy_(p.detach()));
  return model;
}

TEST(KnownModelsData, LogitsAndInputGradientsAreThoseOfTheTraces) {
  NAMID_NEEDS_DATA();
  const Trace clean("clean_mnist_0_99");
  const auto batch = mnist(100);
  EXPECT_TRUE(at::equal(batch.x, clean["images_u8"].to(at::kFloat) / 255));
  EXPECT_TRUE(at::equal(batch.y, clean["labels"]));
  for (const std::string name : {"lenet5_advtrained", "lenet5_clntrained"}) {
    const auto model = known_model(name);
    EXPECT_TRUE(at::allclose(model(batch.x), clean["logits_" + name], 1e-4, 1e-4)) << name;
    EXPECT_TRUE(has_traced_gradients(model, name) || has_traced_gradients(reordered(name), name))
        << name;
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
