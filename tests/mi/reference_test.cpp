// SPDX-License-Identifier: Apache-2.0
// Values of the released code on its toy problem.
#include <gtest/gtest.h>

#include "models/formula.h"
#include "namid/mi/objectives.h"
#include "namid/models/resnet.h"
#include "support/mi_toy.h"

namespace namid::mi {
namespace {

using testing::deviation;
using testing::list;
using testing::MiToy;

/// The values were printed by a float32 run; on these nets float32 and float64 differ by 2e-5. In
/// train mode, where BatchNorm divides by a batch's own spread, the printed values lie 8e-5 away.
constexpr double kFloat32 = 3e-5, kFloat32Train = 1e-4;
using Labels = std::vector<std::int64_t>;

TEST(MiReference, PseudoLabels) {
  const MiToy toy;
  const auto rule = SelectionRule::batch_softmax;
  const auto natural = toy.model(toy.x), adversarial = toy.model(toy.x_adv);
  EXPECT_EQ(list(predicted_labels(natural)), (Labels{3, 4, 7, 0, 4, 7}));
  EXPECT_EQ(list(predicted_labels(natural, rule)), (Labels{9, 8, 7, 6, 8, 7}));
  EXPECT_EQ(list(predicted_labels(adversarial, rule)), (Labels{6, 1, 9, 7, 7, 6}));
  EXPECT_EQ(list(rows_of(select(natural, adversarial, toy.y, rule))), (Labels{0, 2, 3, 4, 5}));
}

TEST(MiReference, LossVectorsInEvalMode) {
  const MiToy toy;
  const auto& [natural, adversarial, info] = toy.estimators;
  const auto local_n = natural.local_features(toy.x);
  const auto local_a = adversarial.local_features(toy.x_adv - toy.x);
  const auto loss = [](const Estimator& e, const at::Tensor& local, const at::Tensor& output) {
    return e.loss(local, output, DvMask::multiply).mean(1);
  };
  const std::vector<std::pair<at::Tensor, at::Tensor>> rows{
      {loss(natural, local_n, toy.model(toy.x)),
       torch::tensor({-.380903, 1.223064, .147614, .654112, -.358967, -.05555}, at::kDouble)},
      {loss(natural, local_n, toy.model(toy.x_adv)),
       torch::tensor({-.316538, .535355, .704414, .421766, -.171015, -.192652}, at::kDouble)},
      {loss(adversarial, local_a, toy.model(toy.x_adv)),
       torch::tensor({.010805, -.000381, -.040342, .012739, .007107, -.006367}, at::kDouble)},
      {loss(adversarial, local_a, toy.model(toy.x)),
       torch::tensor({.019291, -.000298, -.009832, .018372, .018145, -.00103}, at::kDouble)}};
  double largest = 0;
  for (const auto& [got, expected] : rows) {
    EXPECT_LT(deviation(got, expected), kFloat32) << got << expected;
    largest = std::max(largest, deviation(got, expected));
  }
  RecordProperty("deviation", str(largest));
}

/// Natural and adversarial loss of a step in train mode.
void expect_losses(const EstimationRules& rules, double natural, double adversarial) {
  const MiToy toy;
  toy.estimators.natural.train();
  toy.estimators.adversarial.train();
  EstimationBatch batch{.x = toy.x, .x_adv = toy.x_adv, .y = toy.y};
  batch.output_natural = batch.logits_natural = toy.model(toy.x).detach();
  batch.output_adversarial = batch.logits_adversarial = toy.model(toy.x_adv).detach();
  const auto result = estimation_loss(toy.estimators, batch, rules);
  const double off_n = std::abs(result.natural.item<double>() - natural);
  const double off_a = std::abs(result.adversarial.item<double>() - adversarial);
  std::printf("%s: largest deviation %.1e\n", std::string(to_string(rules.objective)).c_str(),
              std::max(off_n, off_a));
  EXPECT_LT(off_n, kFloat32Train);
  EXPECT_LT(off_a, kFloat32Train);
}

TEST(MiReference, LossesOfEquationFourInTrainMode) {
  expect_losses({.objective = EstimationObjective::separate,
                 .selection = SelectionRule::batch_softmax,
                 .dv_mask = DvMask::multiply,
                 .select_eq4 = SelectEq4::reference},
                2.323931, 5.59631);
}

TEST(MiReference, LossesInPlaceOfEquationFiveInTrainMode) {
  expect_losses({.selection = SelectionRule::batch_softmax,
                 .dv_mask = DvMask::multiply,
                 .contrast = Contrast::cosine,
                 .bn_updates = BnUpdates::reference},
                4.903564, 8.277978);
}

TEST(MiReference, LossesOfFormulaFilledNetsOf2048UnitsOnResNet18) {
  const at::NoGradGuard no_grad;
  const auto target = models::make_resnet(18, 0, {{3, 32, 32}, 10});
  models::fill_by_formula(*target);
  target->eval();
  auto estimator = Estimator({.num_classes = 10, .input_shape = {3, 32, 32}}, 0);
  estimator.to(at::kDouble);
  estimator.freeze();
  testing::fill_by_formula(estimator);
  const auto x = 0.5 + 0.5 * testing::wave({2, 3, 32, 32}, 0.013);
  const auto loss = estimator.loss(estimator.local_features(x),
                                   target->forward(x, models::Layer::logits), DvMask::multiply);
  const auto off = deviation(loss.mean(1), torch::tensor({0.99334701, -0.99330081}, at::kDouble));
  std::printf("ResNet-18: largest deviation %.1e\n", off);
  EXPECT_LT(off, 1e-8) << "one unit of the last printed digit";
}

}  // namespace
}  // namespace namid::mi
