// SPDX-License-Identifier: Apache-2.0
#include "namid/train/estimator_training.h"

#include <gtest/gtest.h>

#include <limits>

#include "namid/train/named_parameters.h"
#include "namid/train/profile.h"
#include "train/estimate_bench.h"

namespace namid::train {
namespace {

using testing::message_of;
using testing::separable;
using testing::weights_sha256;

TEST_F(Estimate, TheNaturalObjectiveAttacksNothing) {
  options.rules.objective = mi::EstimationObjective::natural;
  const auto batch = data::make_batch(training, std::vector<std::int64_t>{0, 1, 2, 3});
  std::int64_t gradients = 0;
  const models::Classifier counting(
      [&](const at::Tensor& x) {
        gradients += x.requires_grad();
        return target(x);
      },
      target.info());
  auto pair = mi::make_estimators(
      {.units = 8, .num_classes = 3, .input_shape = {1, 8, 8}, .objective = "natural"}, 1);
  EstimatorTraining work(counting, pair, attack, options);
  work.begin_epoch(1);
  EXPECT_EQ(work.step(batch, {.random = Random(1, "t")}, {1, 1}).count("natural_score"), 1U);
  EXPECT_EQ(gradients, 0);
}

/// The step with an optimiser per net, the natural ones stepped before the adversarial forward.
TEST_F(Estimate, AStepIsThatOfFourOptimisersInTheReleasedOrder) {
  options.profile = Profile::reference;
  auto released_attack = attack;
  apply_profile(options, released_attack);
  options.rules.objective = mi::EstimationObjective::separate;
  options.rules.select_eq4 = mi::SelectEq4::none;
  const auto batch =
      data::make_batch(training, std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const attacks::Context context{.random = Random(1, "t"), .ids = batch.ids};
  auto pair = mi::make_estimators(
      {.units = 8, .num_classes = 3, .input_shape = {1, 8, 8}, .objective = "separate"}, 1);
  const auto other = pair.clone();
  EstimatorTraining work(target, pair, attack, options);
  work.begin_epoch(1);
  work.step(batch, context, {1, 1});

  const auto seen = estimation_batch(target, batch, attack, models::Layer::logits, context);
  const auto step = [&](const mi::Estimator& nets, const at::Tensor& former,
                        const at::Tensor& output) {
    std::vector<torch::optim::Adam> optimizers;
    TensorMap parameters = named_parameters(nets.state_dict(), nets.parameters());
    for (const std::string net : {"local.", "global."}) {
      std::vector<at::Tensor> own;
      for (const auto& [name, parameter] : parameters)
        if (name.starts_with(net)) own.push_back(parameter);
      optimizers.emplace_back(own, torch::optim::AdamOptions(1e-2));
    }
    nets.loss(nets.local_features(former), output, mi::DvMask::multiply).mean(1).mean().backward();
    for (auto& optimizer : optimizers) optimizer.step();
  };
  step(other.natural, seen.x, seen.output_natural);
  step(other.adversarial, seen.x_adv - seen.x, seen.output_adversarial);
  EXPECT_EQ(weights_sha256(pair.natural.state_dict()), weights_sha256(other.natural.state_dict()));
  EXPECT_EQ(weights_sha256(pair.adversarial.state_dict()),
            weights_sha256(other.adversarial.state_dict()));
}

TEST_F(Estimate, UsesAPartialBatchWhereAsked) {
  options.epochs = 2;
  options.mi_partial_batch = mi::PartialBatch::use;
  EXPECT_EQ(run().at("steps"), 2 * 5) << "four of 16 and one of 6 images";
  training = separable(65);
  folder = run::RunFolder::create(temp.path(), "estimate", "test");
  EXPECT_EQ(run().at("steps"), 2 * 4) << "one image has no negatives";
}

TEST_F(Estimate, ReadsInternalLayersOfAnyNetworkThatHasThem) {
  options.epochs = 1;
  options.layer = models::Layer::internal_last;
  for (const std::string name : {"resnet18", "preactresnet18", "wideresnet-10-1"}) {
    SCOPED_TRACE(name);
    target = models::create({.model = name, .width = 2}, {1, 8, 8}, 3, 5);
    folder = run::RunFolder::create(temp.path(), "estimate", "test");
    run();
    const auto info = mi::load_estimators(folder / "estimators.safetensors").info;
    EXPECT_EQ(info.layer, models::Layer::internal_last);
    EXPECT_EQ(info.layer_channels, mi::layer_channels(target, info.layer));
    EXPECT_NO_THROW(
        mi::check_estimators(info, target, {.budget = attack.budget, .allow_weak = true}));
  }
}

TEST_F(Estimate, FeaturesThatAreNotFiniteAreNamedWithTheStep) {
  options.rules.objective = mi::EstimationObjective::natural;
  find_tensor(target.state_dict(), "fc2.bias")
      .detach()
      .fill_(std::numeric_limits<float>::quiet_NaN());
  const auto message = message_of<NumericError>([&] { run(); });
  EXPECT_NE(message.find("[estimate] step 1 (epoch 1): the target's output on x is not finite"),
            std::string::npos)
      << message;
  options.rules.objective = mi::EstimationObjective::separate;
  folder = run::RunFolder::create(temp.path(), "estimate", "test");
  const auto attacked = message_of<NumericError>([&] { run(); });
  EXPECT_NE(attacked.find("[estimate] step 1 (epoch 1): adversarial images: [pgd] "),
            std::string::npos)
      << attacked;
}

TEST_F(Estimate, TheReferenceProfileRunsWithItsDefaults) {
  const auto batch_size = options.batch_size;
  for (const auto objective :
       {mi::EstimationObjective::separate, mi::EstimationObjective::selected}) {
    options = {};
    options.rules.objective = objective;
    options.profile = Profile::reference;
    apply_profile(options, attack);
    EXPECT_EQ(options.rules.contrast, mi::Contrast::cosine);
    EXPECT_EQ(options.rules.selection, mi::SelectionRule::batch_softmax);
    options.epochs = 1;
    options.batch_size = batch_size;
    options.units = 8;
    attack.steps = 2;
    folder = run::RunFolder::create(temp.path(), "estimate", "test");
    EXPECT_EQ(run().at("steps"), 5) << "the partial batch is used";
  }
}

TEST(ApplyProfile, LeavesThePaperProfileAlone) {
  EstimateOptions options;
  attacks::PgdOptions attack;
  apply_profile(options, attack);
  EXPECT_EQ(options.batch_size, EstimateOptions{}.batch_size);
  EXPECT_EQ(attack.steps, attacks::PgdOptions{}.steps);
}

}  // namespace
}  // namespace namid::train
