// SPDX-License-Identifier: Apache-2.0
// CW, DDN and TI-DIM against traces of the libraries that the released code of NAMID calls.
#include "namid/attacks/minimum_norm.h"

#include "namid/attacks/cw.h"
#include "namid/attacks/ddn.h"
#include "namid/attacks/deepfool.h"
#include "namid/attacks/fmn.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/ti_dim.h"
#include "support/known_models.h"

namespace namid::attacks {
namespace {

using testing::count;
using testing::known_model;
using testing::mnist;
using testing::Trace;

constexpr Budget kUnbounded{Norm::l2, 1e3};

/// Median L2 norm over images that were right and are fooled.
double median(const at::Tensor& norms, const at::Tensor& success) {
  return at::quantile(norms.masked_select(success & (norms > 0)), 0.5).item<double>();
}

struct Run {
  std::string trace, model;
};

std::string run_name(const ::testing::TestParamInfo<Run>& info) {
  return info.param.trace;
}

class CwTraceData : public ::testing::TestWithParam<Run> {};

TEST_P(CwTraceData, FoolsAsManyAndAsNear) {
  NAMID_NEEDS_DATA();
  NAMID_NEEDS_TIES_OF_THE_TRACES();
  const auto& [trace, name] = GetParam();
  const Trace reference(trace);
  const bool released = trace == "cw_l2_repo_parameters";
  const auto batch = mnist(20);
  const auto model = known_model(name);
  CwOptions options{.budget = kUnbounded,
                    .steps = released ? 10 : 100,
                    .searches = released ? 4 : 9,
                    .step_size = trace.find("lr01") == std::string::npos ? 0.01 : 0.1,
                    .initial_const = released ? 1 : 1e-3,
                    .kappa = released ? 1.0 : 0.0,
                    .shrink = 0.999999,
                    .compat = Compat::reference};
  const auto same = cw(model, batch.x, batch.y, options);
  const auto expected = reference["success"];
  EXPECT_LE(std::abs(count(same.success) - count(expected)), 1);
  const auto norms = perturbation_norms(same.x_adv, batch.x, Norm::l2);
  if (!released) {
    const double theirs = median(reference["norm_l2"].to(at::kDouble), expected);
    EXPECT_NEAR(median(norms, same.success), theirs, 0.02 * theirs);
  }
  if (trace != "cw_l2_clntrained") return;  // one is enough, and takes its time
  options.shrink = 1 - 1e-3;
  options.compat = Compat::none;
  EXPECT_GE(count(cw(model, batch.x, batch.y, options).success), count(expected));
}

INSTANTIATE_TEST_SUITE_P(Models, CwTraceData,
                         ::testing::Values(Run{"cw_l2_clntrained", "lenet5_clntrained"},
                                           Run{"cw_l2_advtrained", "lenet5_advtrained"},
                                           Run{"cw_l2_lr01_clntrained", "lenet5_clntrained"},
                                           Run{"cw_l2_lr01_advtrained", "lenet5_advtrained"},
                                           Run{"cw_l2_repo_parameters", "lenet5_clntrained"}),
                         run_name);

class DdnTraceData : public ::testing::TestWithParam<Run> {};

TEST_P(DdnTraceData, FoolsAsManyAndAsNear) {
  NAMID_NEEDS_DATA();
  const auto& [trace, name] = GetParam();
  const Trace reference(trace);
  const bool released = trace == "ddn_l2_repo_parameters";
  const auto batch = mnist(50);
  const auto result =
      ddn(known_model(name), batch.x, batch.y,
          {.budget = kUnbounded, .steps = released ? 20 : 100, .levels = released ? 16 : 256});
  const auto expected = reference["success"];
  EXPECT_LE(std::abs(count(result.success) - count(expected)), 1);
  const double theirs = median(reference["norm_l2"].to(at::kDouble), expected);
  EXPECT_LE(median(perturbation_norms(result.x_adv, batch.x, Norm::l2), result.success),
            1.02 * theirs);
}

INSTANTIATE_TEST_SUITE_P(Models, DdnTraceData,
                         ::testing::Values(Run{"ddn_l2_clntrained", "lenet5_clntrained"},
                                           Run{"ddn_l2_advtrained", "lenet5_advtrained"},
                                           Run{"ddn_l2_repo_parameters", "lenet5_clntrained"}),
                         run_name);

/// Where the box cuts most steps: images that the published forms do not bring to a boundary.
TEST(NearestUnderABoxHeavy, SearchesFindWhatThePublishedFormsMiss) {
  NAMID_NEEDS_DATA();
  const auto batch = mnist(40);
  const auto model = known_model("lenet5_advtrained");
  const auto fmn_missed = [&](Norm norm, Compat compat) {
    const Budget budget{norm, norm == Norm::linf ? 1.0 : 1e3};
    const auto found = fmn(model, batch.x, batch.y, {.budget = budget, .compat = compat});
    return 40 - count(found.success);
  };
  for (const auto norm : {Norm::l2, Norm::l1, Norm::linf})
    EXPECT_LE(3 * fmn_missed(norm, Compat::none), fmn_missed(norm, Compat::reference))
        << to_string(norm);
  const auto deepfool_found = [&](Compat compat) {
    return count(
        deepfool(model, batch.x, batch.y, {.budget = kUnbounded, .compat = compat}).success);
  };
  EXPECT_GT(deepfool_found(Compat::none), deepfool_found(Compat::foolbox));
}

struct TiDimRun {
  std::string trace, model;
  double epsilon, step_size, decay;
};

class TiDimTraceData : public ::testing::TestWithParam<TiDimRun> {};

TEST_P(TiDimTraceData, IsTheReleasedCodes) {
  NAMID_NEEDS_DATA();
  NAMID_NEEDS_TIES_OF_THE_TRACES();
  const auto& run = GetParam();
  const Trace reference(run.trace);
  const auto batch = mnist(100);
  const auto result =
      ti_dim(known_model(run.model), batch.x, batch.y,
             {.budget = {Norm::linf, run.epsilon},
              .momentum = {.steps = 10, .step_size = run.step_size, .decay = run.decay},
              .compat = Compat::reference});
  EXPECT_TRUE(at::equal(result.success, reference["success"]));
  const auto apart = (result.x_adv - reference["x_adv"]).abs().flatten(1).mean(1);
  EXPECT_LT(at::quantile(apart, 0.9).item<double>(), 1e-4) << "but for signs near 0";
}

INSTANTIATE_TEST_SUITE_P(
    Settings, TiDimTraceData,
    ::testing::Values(TiDimRun{"tidim_repo_parameters", "lenet5_advtrained", 8.0 / 255, 0.007, 0.1},
                      TiDimRun{"tidim_eps03_momentum01", "lenet5_advtrained", 0.3, 0.04, 0.1},
                      TiDimRun{"tidim_eps03_momentum1", "lenet5_advtrained", 0.3, 0.04, 1.0},
                      TiDimRun{"tidim_eps01_clntrained", "lenet5_clntrained", 0.1, 0.02, 0.1}),
    [](const auto& info) { return info.param.trace; });

}  // namespace
}  // namespace namid::attacks
