// SPDX-License-Identifier: Apache-2.0
// The verifier on images that reference implementations made (the traces of local test data).
#include <gtest/gtest.h>

#include "namid/eval/eight_bit.h"
#include "support/known_models.h"

namespace namid::eval {
namespace {

using attacks::Norm;
using testing::Trace;

struct Case {
  const char* trace;
  Norm norm;
  double epsilon;
};

class VerifierParityData : public ::testing::TestWithParam<Case> {};

TEST_P(VerifierParityData, AgreesWithTheReferenceInNormsAndSuccess) {
  NAMID_NEEDS_DATA();
  const auto& [name, norm, epsilon] = GetParam();
  const Trace trace(name);
  const auto batch = testing::mnist(100);
  const auto model = testing::known_model("lenet5_advtrained");
  const auto rows = trace["indices"];
  const auto x = batch.x.index_select(0, rows), y = batch.y.index_select(0, rows);
  const auto verdicts =
      verify_with_eight_bit(model, x, trace["x_adv"], y, {.norm = norm, .epsilon = epsilon});
  const auto success = trace["success"];
  double worst = 0;
  std::int64_t eight_bit = 0;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const auto& verdict = verdicts[i];
    EXPECT_TRUE(verdict.in_box) << name << " " << i;
    // FAB ends on the decision boundary itself: there the last bit of a logit decides.
    const double margin = trace["margin"][row].item<double>();
    EXPECT_NEAR(verdict.reading.margin, margin, 1e-4) << name << " " << i;
    if (std::abs(margin) > 1e-6) {
      EXPECT_EQ(verdict.broken(), success[row].item<bool>()) << name << " " << i;
    }
    const auto far = [&](double got, const char* array) {
      const double expected = trace[array][row].item<double>();
      worst = std::max(worst, std::abs(got - expected) / std::max(1e-3, expected));
    };
    far(verdict.linf, "norm_linf");
    far(verdict.l2, "norm_l2");
    far(verdict.l1, "norm_l1");
    EXPECT_TRUE(verdict.eight_bit->inside) << name << " " << i;
    eight_bit += verdict.broken() && verdict.eight_bit->broken();
  }
  EXPECT_LE(worst, 1e-6) << name;
  RecordProperty("worst_relative_norm_error", std::to_string(worst));
  RecordProperty("eight_bit", str(eight_bit, " of ", success.sum().item<std::int64_t>()));
}

INSTANTIATE_TEST_SUITE_P(
    Traces, VerifierParityData,
    ::testing::Values(Case{"linf_apgd_ce", Norm::linf, 0.3}, Case{"linf_square", Norm::linf, 0.3},
                      Case{"linf_fab_t", Norm::linf, 0.3}, Case{"l2_apgd_ce", Norm::l2, 2.0},
                      Case{"l2_fab_t", Norm::l2, 2.0}, Case{"l1_apgd_ce", Norm::l1, 10.0},
                      Case{"l1_square", Norm::l1, 10.0}),
    [](const auto& info) { return std::string(info.param.trace); });

}  // namespace
}  // namespace namid::eval
