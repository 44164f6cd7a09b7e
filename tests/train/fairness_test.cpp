// SPDX-License-Identifier: Apache-2.0
// A comparison of defences is one of defences only: with equal seed all else is the same.
#include <gtest/gtest.h>

#include "namid/defenses/registry.h"
#include "namid/models/network.h"
#include "train/workbench.h"

namespace namid::train {
namespace {

using defenses::Defense;

/// A network that keeps what it is shown in eval mode, as the attack does.
class Watched final : public models::Network {
 public:
  Watched() : inner_(register_module("inner", testing::small_model().network())) {}
  at::Tensor forward(const at::Tensor& x, models::Layer layer) override {
    if (!is_training()) shown.push_back(x.detach().clone());
    return inner_->forward(x, layer);
  }
  std::vector<at::Tensor> shown;

 private:
  std::shared_ptr<models::Network> inner_;
};

/// What a training drew besides its defence's own arithmetic.
struct Draws {
  std::string initial_weights;
  std::vector<SampleIds> order;
  std::vector<at::Tensor> images, starts;  ///< one per step
};

std::optional<mi::EstimatorPair> estimators_for(Defense defense) {
  if (!defenses::needs_estimators(defense)) return std::nullopt;
  auto pair = mi::make_estimators(
      {.units = 8, .num_classes = 3, .input_shape = {1, 8, 8}, .objective = "separate"}, 1);
  if (defense == Defense::at_mim) {
    pair.adversarial = {};
    pair.info.objective = "standard";
  }
  return pair;
}

Draws draws_of(Defense defense) {
  testing::Workbench bench;
  bench.options.epochs = 2;
  bench.augment = true;
  const auto network = std::make_shared<Watched>();
  bench.model = models::Classifier(network, testing::small_model().info());
  const auto objective = defenses::make_objective(
      defense, {.attack = testing::small_attack(), .namid = {.mi_warmup = 0}, .full_batch = 8},
      estimators_for(defense));
  Draws draws;
  bench.run([&](const auto& model, const auto& batch, const auto& context) {
    if (draws.order.empty()) draws.initial_weights = testing::weights_sha256(model.state_dict());
    network->shown.clear();
    auto result = objective(model, batch, context);
    draws.order.push_back(batch.ids);
    draws.images.push_back(batch.x);
    for (const auto& x : network->shown)  // TRADES looks at x itself first
      if (!at::equal(x, batch.x)) {
        draws.starts.push_back(x);
        break;
      }
    return result;
  });
  return draws;
}

bool equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& s, const auto& t) { return at::equal(s, t); });
}

TEST(Fairness, DefencesShareWeightsOrderAugmentationAndAttackDraws) {
  const auto expected = draws_of(Defense::standard);
  ASSERT_EQ(expected.order.size(), 12U);
  ASSERT_EQ(expected.starts.size(), 12U);
  ASSERT_FALSE(at::equal(expected.images[0], expected.images[6])) << "the epochs differ";
  for (const auto& row : defenses::list_defenses()) {
    const auto drawn = draws_of(row.defense);
    EXPECT_EQ(drawn.initial_weights, expected.initial_weights) << row.name;
    EXPECT_EQ(drawn.order, expected.order) << row.name;
    EXPECT_TRUE(equal(drawn.images, expected.images)) << row.name;
    // MMA attacks some images, in balls of their own; its draws are compared in its own tests.
    if (row.defense == Defense::natural || row.defense == Defense::mma) continue;
    EXPECT_TRUE(equal(drawn.starts, expected.starts)) << row.name;
  }
}

}  // namespace
}  // namespace namid::train
