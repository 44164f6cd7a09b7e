// SPDX-License-Identifier: Apache-2.0
// Values of the released code on its toy problem.
#include <gtest/gtest.h>

#include "namid/mi/objectives.h"
#include "support/mi_toy.h"

namespace namid::mi {
namespace {

using testing::deviation;
using testing::MiToy;

std::vector<std::int64_t> list(const at::Tensor& t) {
  return {t.data_ptr<std::int64_t>(), t.data_ptr<std::int64_t>() + t.numel()};
}
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

TEST(MiReference, LossesOfEquationFourInTrainMode) {  // filtered as the released code does
  const MiToy toy;
  const auto& [natural, adversarial, info] = toy.estimators;
  natural.train();
  adversarial.train();
  const auto rule = SelectionRule::batch_softmax;
  const auto output = toy.model(toy.x).detach(), output_adv = toy.model(toy.x_adv).detach();
  const auto loss_n = natural.loss(natural.local_features(toy.x), output, DvMask::multiply);
  const auto loss_a =
      adversarial.loss(adversarial.local_features(toy.x_adv - toy.x), output_adv, DvMask::multiply);
  const auto right = rows_of(predicted_labels(output, rule).eq(toy.y));
  const auto wrong = rows_of(predicted_labels(output_adv, rule).ne(toy.y));
  const double got_n = loss_n.index_select(0, right).mean().item<double>();
  const double got_a = loss_a.index_select(0, wrong).mean().item<double>();
  RecordProperty("deviation", str(std::max(std::abs(got_n - 2.323931), std::abs(got_a - 5.59631))));
  EXPECT_NEAR(got_n, 2.323931, kFloat32Train);
  EXPECT_NEAR(got_a, 5.59631, kFloat32Train);
}

}  // namespace
}  // namespace namid::mi
