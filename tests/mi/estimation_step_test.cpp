// SPDX-License-Identifier: Apache-2.0
// One training step of the estimators against plain PyTorch (estimation_step.py), in float64.
#include <gtest/gtest.h>
#include <torch/optim/adam.h>

#include "support/estimation_batches.h"
#include "support/reference_step.h"

namespace namid::mi {
namespace {

using testing::wave;

struct Step {
  std::string name;
  EstimationRules rules;
  models::Layer layer = models::Layer::logits;
};

/// What the released code does, with an objective.
EstimationRules released(EstimationObjective objective) {
  return {objective,        SelectionRule::batch_softmax, DvMask::multiply, SelectEq4::reference,
          Contrast::cosine, BnUpdates::reference};
}

/// Ten images of which by `rule` some are right on both images and some on x alone.
EstimationBatch mixed_batch(SelectionRule rule, models::Layer layer) {
  EstimationBatch batch;
  batch.x = 0.5 + 0.5 * wave({10, 3, 8, 8}, 0.013);
  batch.x_adv = (batch.x + 0.05 * wave({10, 3, 8, 8}, 1.9)).clamp(0, 1);
  batch.logits_natural = 3 * wave({10, 10}, 0.7);
  batch.logits_adversarial = batch.logits_natural + 1.5 * wave({10, 10}, 1.1, 2);
  batch.y = predicted_labels(batch.logits_natural, rule).clone();
  batch.y[3] = (batch.y[3] + 1).remainder(10);
  batch.output_natural = batch.logits_natural;
  batch.output_adversarial = batch.logits_adversarial;
  if (layer != models::Layer::logits) {
    const std::int64_t side = layer == models::Layer::internal ? 8 : 4;
    batch.output_natural = wave({10, 4, side, side}, 0.37);
    batch.output_adversarial = wave({10, 4, side, side}, 0.53, 1);
  }
  return batch;
}

void keep_gradients(TensorMap& to, const std::string& side, const Estimator& estimator) {
  for (const auto& [name, tensor] : estimator.state_dict())
    for (const auto& parameter : estimator.parameters())
      if (parameter.data_ptr() == tensor.data_ptr())
        to.emplace_back(str("grad.", side, ".", name), parameter.grad().clone());
}

testing::StepCase case_of(const Step& step) {
  const auto& [name, rules, layer] = step;
  const auto batch = mixed_batch(rules.selection, layer);
  const auto pair = make_estimators({.layer = layer,
                                     .units = 12,
                                     .num_classes = 10,
                                     .input_shape = {3, 8, 8},
                                     .objective = std::string(to_string(rules.objective)),
                                     .layer_channels = layer == models::Layer::logits ? 10 : 4},
                                    7);
  TensorMap tensors{{"x", batch.x},
                    {"x_adv", batch.x_adv},
                    {"y", batch.y},
                    {"output_natural", batch.output_natural},
                    {"output_adversarial", batch.output_adversarial},
                    {"logits_natural", batch.logits_natural},
                    {"logits_adversarial", batch.logits_adversarial}};
  std::vector<std::pair<std::string, const Estimator*>> sides{{"natural", &pair.natural}};
  if (pair.adversarial.defined()) sides.emplace_back("adversarial", &pair.adversarial);
  for (const auto& [side, estimator] : sides) {
    estimator->to(at::kDouble);
    testing::keep(tensors, "before." + side, estimator->state_dict());
  }
  const auto result = estimation_loss(pair, batch, rules);
  for (const auto& [side, estimator] : sides) {
    const auto& loss = side == "natural" ? result.natural : result.adversarial;
    tensors.emplace_back("loss." + side, loss.detach().clone());
    torch::optim::Adam adam(estimator->parameters(), torch::optim::AdamOptions(1e-2));
    loss.backward();
    keep_gradients(tensors, side, *estimator);
    adam.step();
    testing::keep(tensors, "after." + side, estimator->state_dict());
  }
  return {name,
          tensors,
          {{"objective", std::string(to_string(rules.objective))},
           {"selection", std::string(to_string(rules.selection))},
           {"dv_mask", std::string(to_string(rules.dv_mask))},
           {"select_eq4", std::string(to_string(rules.select_eq4))},
           {"contrast", std::string(to_string(rules.contrast))},
           {"layer", std::string(to_string(layer))},
           {"lr", "0.01"}}};
}

TEST(EstimationStep, EqualsPlainPyTorchForEveryObjectiveProfileAndLayer) {
  using Objective = EstimationObjective;
  const std::vector<Step> steps{
      {"separate", {.objective = Objective::separate}},
      {"selected", {.objective = Objective::selected}},
      {"standard", {.objective = Objective::standard}},
      {"natural", {.objective = Objective::natural}},
      {"selected-internal", {}, models::Layer::internal},
      {"selected-internal_last", {}, models::Layer::internal_last},
      {"separate-reference", released(Objective::separate)},
      {"selected-reference", released(Objective::selected)},
      {"selected-reference-internal", released(Objective::selected), models::Layer::internal}};
  std::vector<testing::StepCase> cases;
  for (const auto& step : steps) cases.push_back(case_of(step));
  testing::check_steps("mi/estimation_step.py", cases);
}

TEST(EstimationStep, IsCheckedOnBatchesWithSamplesOfBothSets) {
  for (const auto rule : {SelectionRule::argmax, SelectionRule::batch_softmax}) {
    const auto b = mixed_batch(rule, models::Layer::logits);
    EXPECT_GE(rows_of(select(b.logits_natural, b.logits_adversarial, b.y, rule)).size(0), 2);
    EXPECT_GE(rows_of(select_right(b.logits_natural, b.logits_adversarial, b.y, rule)).size(0), 2);
  }
}

}  // namespace
}  // namespace namid::mi
