// SPDX-License-Identifier: Apache-2.0
// How often each defence runs the model in a step: forwards and backwards of the attack and of the
// training, counted by the model itself. The table of docs/defenses.md states these numbers.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <set>

#include "namid/defenses/registry.h"
#include "namid/models/network.h"
#include "namid/models/registry.h"
#include "support/mi_toy.h"

namespace namid::defenses {
namespace {

using testing::small_estimators;
using testing::wave;

struct Counts {
  int forwards = 0, backwards = 0;
  bool operator==(const Counts&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Counts& counts) {
  return out << counts.forwards << " forwards, " << counts.backwards << " backwards";
}

/// A network that counts whole batches: in eval mode the attack's, in train mode the training's.
class Counting final : public models::Network {
 public:
  explicit Counting(std::shared_ptr<models::Network> inner)
      : inner_(register_module("inner", std::move(inner))) {}

  at::Tensor forward(const at::Tensor& x, models::Layer layer) override {
    auto& counts = is_training() ? training : attack;
    ++counts.forwards;
    auto logits = inner_->forward(x, layer);
    if (logits.requires_grad())
      logits.register_hook([&counts](const at::Tensor&) { ++counts.backwards; });
    return logits;
  }

  Counts attack, training;

 private:
  std::shared_ptr<models::Network> inner_;
};

constexpr int kSteps = 10;

struct Counted {
  std::shared_ptr<Counting> network;
  Classifier model;
  Batch batch{(0.5 + 0.5 * wave({8, 3, 8, 8}, 0.013)).to(at::kFloat), {}, {0, 1, 2, 3, 4, 5, 6, 7}};
  mi::EstimatorPair pair = small_estimators(16, at::kFloat);
  Context context{.random = Random(1, "train/attack"), .epoch = 3};
  DefenseOptions options{.attack = {.budget = {.epsilon = 0.3}, .steps = kSteps}, .full_batch = 8};

  Counted() {
    auto inner = models::create({.model = "small_cnn", .width = 4}, {3, 8, 8}, 10, 1).network();
    network = std::make_shared<Counting>(std::move(inner));
    model = Classifier(network, {.name = "counting", .num_classes = 10, .input_shape = {3, 8, 8}});
    batch.y = model(batch.x).argmax(1);
    const auto parameters = model.parameters();
    for (std::size_t i = parameters.size() - 2; i < parameters.size(); ++i)
      parameters[i].data().mul_(40);  // margins below 0, so that MMA searches
    network->training = {};
  }
  std::optional<mi::EstimatorPair> estimators(Defense defense) const {
    if (!needs_estimators(defense)) return std::nullopt;
    auto own = pair;
    if (defense == Defense::at_mim) {
      own.adversarial = {};
      own.info.objective = "standard";
    }
    return own;
  }
  ObjectiveResult step(Defense defense) const {
    return make_objective(defense, options, estimators(defense))(model, batch, context);
  }
};

TEST(Passes, OfTheAttackAndOfTheTrainingAreTheTablesOfTheDocs) {
  const std::vector<std::tuple<Defense, Counts, Counts>> rows{
      {Defense::natural, {0, 0}, {1, 1}},
      {Defense::standard, {kSteps, kSteps}, {1, 1}},
      {Defense::trades, {kSteps + 1, kSteps}, {2, 2}},
      {Defense::mart, {kSteps, kSteps}, {2, 2}},
      {Defense::mma, {kSteps + 10, kSteps}, {2, 2}},
      {Defense::mma_reference, {kSteps, kSteps}, {2, 2}},
      {Defense::at_mim, {kSteps, kSteps}, {1, 1}},
      {Defense::namid, {kSteps, kSteps}, {2, 2}},
      {Defense::namid_t, {kSteps + 1, kSteps}, {2, 2}},
      {Defense::namid_m, {kSteps, kSteps}, {2, 2}}};
  ASSERT_EQ(rows.size(), list_defenses().size());
  for (const auto& [defense, attack, training] : rows) {
    const Counted counted;
    counted.step(defense).loss.backward();
    EXPECT_EQ(counted.network->attack, attack) << to_string(defense);
    EXPECT_EQ(counted.network->training, training) << to_string(defense);
  }
}

TEST(Passes, OfTheReferenceProfileAreNoMore) {
  // The released code: 1, 3, 2, 2 and 7 forwards in train mode.
  const std::vector<std::tuple<Defense, Counts, int>> rows{{Defense::standard, {1, 1}, 1},
                                                           {Defense::trades, {2, 2}, 3},
                                                           {Defense::mart, {2, 2}, 2},
                                                           {Defense::mma_reference, {2, 2}, 2},
                                                           {Defense::namid, {2, 2}, 7}};
  for (const auto& [defense, training, updates] : rows) {
    Counted counted;
    counted.options.bn_updates = BnUpdates::reference;
    const auto seen = [&] {
      return find_tensor(counted.model.state_dict(), "inner.bn1.num_batches_tracked")
          .item<std::int64_t>();
    };
    const auto before = seen();
    const auto result = counted.step(defense);
    result.loss.backward();
    EXPECT_EQ(counted.network->training, training) << to_string(defense);
    EXPECT_EQ(seen() - before, updates) << to_string(defense);
    if (defense == Defense::namid) {
      EXPECT_GE(result.metrics.at("selected"), 1);
    }
  }
}

/// The leaves that a backward from `loss` would give gradients to.
std::set<void*> leaves_of(const at::Tensor& loss) {
  std::set<void*> leaves;
  std::set<torch::autograd::Node*> seen;
  std::vector<torch::autograd::Node*> open{loss.grad_fn().get()};
  while (!open.empty()) {
    auto* node = open.back();
    open.pop_back();
    if (node == nullptr || !seen.insert(node).second) continue;
    if (auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node))
      leaves.insert(leaf->variable.unsafeGetTensorImpl());
    for (const auto& edge : node->next_edges()) open.push_back(edge.function.get());
  }
  return leaves;
}

TEST(Passes, GradientsAreComputedForTheModelAlone) {
  for (const auto defense : {Defense::at_mim, Defense::namid, Defense::namid_t, Defense::namid_m}) {
    const Counted counted;
    const auto result = counted.step(defense);
    std::set<void*> parameters;
    for (const auto& parameter : counted.model.parameters())
      parameters.insert(parameter.unsafeGetTensorImpl());
    EXPECT_EQ(leaves_of(result.loss), parameters) << to_string(defense);
  }
}

}  // namespace
}  // namespace namid::defenses
