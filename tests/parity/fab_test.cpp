// SPDX-License-Identifier: Apache-2.0
// FAB against traces of AutoAttack's code of 2023 on a known network.
#include "namid/attacks/fab.h"

#include "namid/attacks/fab_t.h"
#include "namid/attacks/norms.h"
#include "support/known_models.h"

namespace namid::attacks {
namespace {

using testing::count;
using testing::known_model;
using testing::mnist;
using testing::Trace;

double middle(const at::Tensor& values) {
  return at::quantile(values, 0.5).item<double>();
}

class FabTraceData : public ::testing::TestWithParam<Norm> {};

TEST_P(FabTraceData, SmallestPerturbationsAreThoseOfTheReference) {
  NAMID_NEEDS_DATA();
  NAMID_NEEDS_TIES_OF_THE_TRACES();
  const auto norm = GetParam();
  const std::string name(to_string(norm));
  const Trace reference(name + "_fab_untargeted_min_norm");
  const auto batch = mnist(50);
  const auto result =
      fab_minimum(known_model("lenet5_advtrained"), batch.x, batch.y, {.budget = {.norm = norm}});
  const auto found = perturbation_norms(result.x_adv, batch.x, norm);
  const auto fooled = reference["success"], expected = reference["norm_" + name].to(at::kDouble);
  EXPECT_GE(count(result.success), count(fooled));
  EXPECT_NEAR(middle(found.masked_select(result.success)), middle(expected.masked_select(fooled)),
              0.02 * middle(expected.masked_select(fooled)));
  const auto ratio = (found / expected).masked_select(fooled & result.success);
  EXPECT_NEAR(middle(ratio), 1, 1e-3);
  EXPECT_GE(count((ratio - 1).abs() < 0.01), 30) << "the rest: chaotic in float32";
}

INSTANTIATE_TEST_SUITE_P(Norms, FabTraceData, ::testing::Values(Norm::linf, Norm::l2, Norm::l1),
                         [](const auto& info) { return std::string(to_string(info.param)); });

struct Bounded {
  std::string trace;
  Budget budget;
};

class FabTTraceData : public ::testing::TestWithParam<Bounded> {};

TEST_P(FabTTraceData, FoolsTheImagesThatTheReferenceFools) {
  NAMID_NEEDS_DATA();
  const auto fooled = Trace(GetParam().trace)["success"];
  const auto first = at::arange(fooled.size(0)) < 10;
  const auto rows = (first | fooled).nonzero().squeeze(1).slice(0, 0, 20);
  const auto expected = fooled.index_select(0, rows);
  const auto batch = mnist(100);
  const auto model = known_model("lenet5_advtrained");
  for (const auto compat : {Compat::none, Compat::autoattack}) {
    const auto result = fab_t(model, batch.x.index_select(0, rows), batch.y.index_select(0, rows),
                              {.budget = GetParam().budget, .compat = compat});
    EXPECT_TRUE((result.success | expected.logical_not()).all().item<bool>());
    EXPECT_LE(count(result.success), count(expected) + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Norms, FabTTraceData,
                         ::testing::Values(Bounded{"linf_fab_t", {Norm::linf, 0.3}},
                                           Bounded{"l2_fab_t", {Norm::l2, 2.0}}),
                         [](const auto& info) { return info.param.trace; });

}  // namespace
}  // namespace namid::attacks
