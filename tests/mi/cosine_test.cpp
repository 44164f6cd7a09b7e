// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/cosine.h"

#include <gtest/gtest.h>

#include "namid/mi/selection.h"
#include "support/waves.h"

namespace namid::mi {
namespace {

using testing::gradient_error;
using testing::list;
using testing::value;
using testing::wave;

constexpr std::array kKinds{Cosine::batch, Cosine::centred, Cosine::locations, Cosine::l1};

at::Tensor mask(const std::vector<int>& bits) {
  return torch::tensor(bits).to(at::kBool);
}
double nan() {
  return std::numeric_limits<double>::quiet_NaN();
}

TEST(Cosine, GivesTheReferenceValue) {
  const auto a = torch::tensor({-1., -.5, 0., -.1}, at::kDouble).unsqueeze(1);
  const auto b = torch::tensor({-.3, -.8, 0., -.2}, at::kDouble).unsqueeze(1);
  const double all = value(cosine_loss(a, b, mask({1, 1, 1, 1})));
  RecordProperty("deviation", str(std::abs(all - 0.26902612)));
  EXPECT_NEAR(all, 0.26902612, 1e-8);
  EXPECT_NEAR(value(cosine_loss(a, b, mask({1, 1, 0, 1}))), all, 1e-15);
}

TEST(Cosine, AveragesLocationsBeforeTheBatchCosine) {
  const auto a = wave({5, 3}, 0.7), b = wave({5, 3}, 1.1, 0.5);
  const auto u = a.mean(1), v = b.mean(1);
  EXPECT_NEAR(value(cosine_loss(a, b, mask({1, 1, 1, 1, 1}))),
              1 - value((u * v).sum() / (u.norm() * v.norm())), 1e-14);
}

TEST(Cosine, EveryKindHasItsZero) {
  const auto a = wave({5, 3}, 0.7) - 2;
  const auto all = mask({1, 1, 1, 1, 1});
  EXPECT_NEAR(value(cosine_loss(a, 3 * a, all, Cosine::batch)), 0, 1e-14);
  EXPECT_NEAR(value(cosine_loss(a, 3 * a + 5, all, Cosine::centred)), 0, 1e-14);
  EXPECT_NEAR(value(cosine_loss(a, a * wave({5, 1}, 1).exp(), all, Cosine::locations)), 0, 1e-14);
  EXPECT_EQ(value(cosine_loss(a, a, all, Cosine::l1)), 0);
  EXPECT_NEAR(value(cosine_loss(a, -a, all, Cosine::batch)), 2, 1e-14);
  EXPECT_NEAR(value(cosine_loss(a, a + 0.25, all, Cosine::l1)), 0.25, 1e-14);
}

TEST(Cosine, GradientMatchesFiniteDifferences) {
  const auto a = wave({5, 3}, 0.7), b = wave({5, 3}, 1.1, 0.5);
  const auto some = mask({1, 0, 1, 1, 1});
  for (const auto kind : kKinds) {
    EXPECT_LT(gradient_error([&](auto& t) { return cosine_loss(t, b, some, kind); }, a), 1e-8)
        << to_string(kind);
    EXPECT_LT(gradient_error([&](auto& t) { return cosine_loss(a, t, some, kind); }, b), 1e-8)
        << to_string(kind);
  }
}

TEST(Cosine, IgnoresRowsThatAreNotSelectedEvenIfTheyAreNaN) {
  const auto b = wave({4, 2}, 1.1, 0.5);
  for (const auto kind : kKinds) {
    auto a = wave({4, 2}, 0.7);
    const double clean = value(cosine_loss(a, b, mask({1, 0, 1, 1}), kind));
    a[1].fill_(nan());
    a.requires_grad_();
    const auto loss = cosine_loss(a, b, mask({1, 0, 1, 1}), kind);
    EXPECT_EQ(value(loss), clean) << to_string(kind);
    loss.backward();
    EXPECT_EQ(value(a.grad()[1].abs().sum()), 0) << to_string(kind);
    EXPECT_TRUE(a.grad().isfinite().all().item<bool>()) << to_string(kind);
  }
}

TEST(Cosine, IsZeroWithZeroGradientBelowTwoSamples) {
  for (const auto kind : kKinds)
    for (const auto& bits : {std::vector{0, 0, 0}, std::vector{0, 1, 0}}) {
      auto a = wave({3, 2}, 0.7), b = wave({3, 2}, 1.1);
      a[0].fill_(nan());
      a.requires_grad_();
      const auto loss = cosine_loss(a, b, mask(bits), kind);
      EXPECT_EQ(value(loss), 0);
      loss.backward();
      EXPECT_EQ(value(a.grad().abs().sum()), 0);
    }
}

TEST(Cosine, StaysFiniteForZeroVectors) {
  for (const auto kind : kKinds) {
    auto a = at::zeros({3, 2}, at::kDouble).requires_grad_();
    const auto loss = cosine_loss(a, wave({3, 2}, 1.1), mask({1, 1, 1}), kind);
    loss.backward();
    EXPECT_TRUE(loss.isfinite().item<bool>()) << to_string(kind);
    EXPECT_TRUE(a.grad().isfinite().all().item<bool>()) << to_string(kind);
  }
}

TEST(Cosine, FollowsAPermutationOfTheBatch) {
  const auto a = wave({5, 3}, 0.7), b = wave({5, 3}, 1.1, 0.5), s = mask({1, 0, 1, 1, 1});
  const auto order = torch::tensor({3, 0, 4, 2, 1});
  const auto moved = [&](const at::Tensor& t) { return t.index_select(0, order); };
  for (const auto kind : kKinds)
    EXPECT_NEAR(value(cosine_loss(a, b, s, kind)),
                value(cosine_loss(moved(a), moved(b), moved(s), kind)), 1e-14);
}

const auto kNatural = [] {
  return torch::tensor({{2., .5, -1.}, {.1, .3, .2}, {-.5, 1.5, 1.}, {0., -2., .7}}, at::kDouble);
};
const auto kAdversarial = [] {
  return torch::tensor({{.4, .9, -.2}, {.3, .1, .6}, {-.2, .8, 1.1}, {1., -1., .2}}, at::kDouble);
};
using Labels = std::vector<std::int64_t>;

TEST(Selection, LabelsAreThoseOfTheReference) {
  EXPECT_EQ(list(predicted_labels(kNatural())), (Labels{0, 1, 1, 2}));
  EXPECT_EQ(list(predicted_labels(kAdversarial())), (Labels{1, 2, 2, 0}));
  EXPECT_EQ(list(predicted_labels(kNatural(), SelectionRule::batch_softmax)), (Labels{0, 2, 1, 2}));
  EXPECT_EQ(list(predicted_labels(kAdversarial(), SelectionRule::batch_softmax)),
            (Labels{1, 2, 2, 0}));
  EXPECT_EQ(list(predicted_labels(kNatural().narrow(0, 3, 1), SelectionRule::batch_softmax)),
            (Labels{0}))
      << "all ones for a single sample";
}

TEST(Selection, KeepsSamplesRightBeforeAndWrongAfter) {
  const auto y = torch::tensor({0, 1, 1, 2});
  EXPECT_EQ(list(select(kNatural(), kAdversarial(), y)), (Labels{1, 1, 1, 1}));
  EXPECT_EQ(list(select(kNatural(), kAdversarial(), y, SelectionRule::batch_softmax)),
            (Labels{1, 0, 1, 1}));
  EXPECT_EQ(list(select(kNatural(), kNatural(), y)), (Labels{0, 0, 0, 0}));
  EXPECT_EQ(list(select(kNatural(), kAdversarial(), torch::tensor({1, 1, 0, 2}))),
            (Labels{0, 1, 0, 1}));
}

TEST(Selection, RowsAreTheTrueEntries) {
  EXPECT_EQ(list(rows_of(mask({0, 1, 0, 1}))), (Labels{1, 3}));
  EXPECT_EQ(list(rows_of(mask({0, 0}))), Labels{});
}

}  // namespace
}  // namespace namid::mi
