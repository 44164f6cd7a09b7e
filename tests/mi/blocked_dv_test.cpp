// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/blocked_dv.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "support/mi_golden.h"

namespace namid::mi {
namespace {

using testing::deviation;
using testing::wave;

struct Evaluated {
  at::Tensor loss, to_global, to_local;
};

template <class F>
Evaluated evaluate(const F& f, const at::Tensor& global, const at::Tensor& local) {
  const auto g = global.detach().clone().requires_grad_();
  const auto l = local.detach().clone(at::MemoryFormat::Preserve).requires_grad_();
  const auto loss = f(g, l);
  const auto weights = wave(loss.sizes().vec(), 0.4, 1).to(loss.scalar_type());
  (loss * weights).sum().backward();
  return {loss.detach(), g.grad(), l.grad()};
}

/// Largest deviation in relation to the largest value.
double relative(const at::Tensor& a, const at::Tensor& b) {
  return deviation(a, b) / b.abs().max().item<double>();
}

void expect_equal(const Evaluated& a, const Evaluated& b, double tolerance) {
  EXPECT_LT(relative(a.loss, b.loss), tolerance);
  EXPECT_LT(relative(a.to_global, b.to_global), tolerance);
  EXPECT_LT(relative(a.to_local, b.to_local), tolerance);
}

TEST(BlockedDv, EqualsThePlainFormWithItsGradients) {
  const auto global = wave({13, 6}, 1.3), local = wave({13, 6, 5}, 0.7) * 2;
  for (const auto type : {at::kDouble, at::kFloat})
    for (const auto mask : {DvMask::exclude, DvMask::multiply}) {
      const auto plain = evaluate(
          [&](const auto& g, const auto& l) { return donsker_varadhan(score_tensor(g, l), mask); },
          global.to(type), local.to(type));
      for (const std::int64_t images : {1, 4, 13, 100}) {  // 13 is no multiple of 4
        SCOPED_TRACE(str(to_string(mask), " ", images));
        const auto blocked =
            evaluate([&](const auto& g,
                         const auto& l) { return donsker_varadhan_blocked(g, l, images, mask); },
                     global.to(type), local.to(type));
        expect_equal(blocked, plain, type == at::kDouble ? 1e-12 : 1e-5);
      }
    }
}

TEST(BlockedDv, ReadsFeaturesInAnyMemoryOrder) {
  const auto global = wave({6, 5}, 1.3), local = wave({6, 5, 4}, 0.7);
  const auto blocked = [](const auto& g, const auto& l) {
    return donsker_varadhan_blocked(g, l, 2);
  };
  const auto channels_last = local.transpose(1, 2).contiguous().transpose(1, 2);
  expect_equal(evaluate(blocked, global, channels_last), evaluate(blocked, global, local), 1e-13);
}

TEST(BlockedDv, GivesTheReferenceValues) {
  const testing::MiGolden golden;
  const auto expected =
      torch::tensor({-1.58326175, -0.19780978, 0.86580871, 0.25119256}, at::kDouble);
  const auto loss =
      donsker_varadhan_blocked(golden.global, golden.local, 3, DvMask::multiply).mean(1);
  EXPECT_LT(deviation(loss, expected), 1e-8);
}

TEST(BlockedDv, LeavesGradientsOutThatNobodyAskedFor) {
  const auto global = wave({4, 3}, 1.3).requires_grad_(), local = wave({4, 3, 2}, 0.7);
  donsker_varadhan_blocked(global, local, 2).sum().backward();
  EXPECT_TRUE(global.grad().defined());
  EXPECT_FALSE(local.grad().defined());
}

TEST(BlockedDv, StaysFiniteForLargeScores) {
  const auto blocked = [](const auto& g, const auto& l) {
    return donsker_varadhan_blocked(g, l, 1);
  };
  const auto result = evaluate(blocked, (wave({5, 4}, 1.3) * 1e3).to(at::kFloat),
                               (wave({5, 4, 3}, 0.7) * 1e3).to(at::kFloat));
  for (const auto& t : {result.loss, result.to_global, result.to_local})
    EXPECT_TRUE(t.isfinite().all().item<bool>());
}

TEST(BlockedDv, RefusesSecondDerivativesAndUnfitInput) {
  const auto global = wave({4, 3}, 1.3).requires_grad_(), local = wave({4, 3, 2}, 0.7);
  const auto loss = donsker_varadhan_blocked(global, local, 2).sum();
  EXPECT_THROW(torch::autograd::grad({loss}, {global}, {}, std::nullopt, true), OptionError);
  EXPECT_THROW(donsker_varadhan_blocked(global, local, 0), OptionError);
  EXPECT_THROW(donsker_varadhan_blocked(at::zeros({1, 3}), at::zeros({1, 3, 2}), 1), OptionError);
  EXPECT_THROW(donsker_varadhan_blocked(at::zeros({4, 3}), at::zeros({4, 2, 2}), 1), OptionError);
}

TEST(BlockedDv, IsUsedForLargeBatchesAlone) {
  const auto features = [](std::int64_t n) {  // one unit keeps the products cheap
    return std::pair(wave({n, 1}, 1.3).to(at::kFloat).requires_grad_(),
                     wave({n, 1, 64}, 0.7).to(at::kFloat));
  };
  const auto [global, local] = features(64);
  EXPECT_TRUE(donsker_varadhan_of_features(global, local)
                  .equal(donsker_varadhan(score_tensor(global, local))));
  const auto form = [&](std::int64_t n) {
    const auto [g, l] = features(n);
    return donsker_varadhan_of_features(g, l).grad_fn()->name();
  };
  EXPECT_EQ(form(512).find("BlockedDv"), std::string::npos);  // 2^24 scores
  EXPECT_NE(form(513).find("BlockedDv"), std::string::npos);
}

}  // namespace
}  // namespace namid::mi
