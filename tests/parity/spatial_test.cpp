// SPDX-License-Identifier: Apache-2.0
// Flow fields against traces of the library that the released code of NAMID calls. Its optimiser
// takes the batch as one vector: equal quality is asked for, not equal pixels.
#include "namid/attacks/norms.h"
#include "namid/attacks/spatial_flow.h"
#include "support/known_models.h"

namespace namid::attacks {
namespace {

using testing::count;
using testing::known_model;
using testing::mnist;
using testing::Trace;

struct FlowRun {
  std::string trace, model;
  int steps, searches;
};

class SpatialFlowTraceData : public ::testing::TestWithParam<FlowRun> {};

TEST_P(SpatialFlowTraceData, FoolsAsManyInTheSameSteps) {
  NAMID_NEEDS_DATA();
  const auto& run = GetParam();
  const Trace reference(run.trace);
  const auto batch = mnist(10);
  const auto model = known_model(run.model);
  const auto found =
      spatial_flow(model, batch.x, batch.y, {.steps = run.steps, .searches = run.searches});
  // A black image is no success; the reference returns one where it found nothing.
  const auto theirs = reference["success"] & reference["returned_zero_image"].logical_not();
  EXPECT_GE(count(found.success), count(theirs));
  EXPECT_TRUE(at::equal(found.success, model(found.x_adv).argmax(1) != batch.y));
  const auto kept = found.success.logical_not();
  EXPECT_TRUE(at::equal(found.x_adv.index({kept}), batch.x.index({kept})));
  const auto both = found.success & theirs;
  if (count(both) == 0) return;  // advtrained: one each, not the same
  const auto mean = [&](const at::Tensor& norms) {
    return norms.to(at::kDouble).masked_select(both).mean().item<double>();
  };
  EXPECT_LE(mean(perturbation_norms(found.x_adv, batch.x, Norm::l2)),
            1.1 * mean(reference["norm_l2"]))
      << "no larger changes for it";
}

INSTANTIATE_TEST_SUITE_P(
    Models, SpatialFlowTraceData,
    ::testing::Values(FlowRun{"spatial_repo_parameters", "lenet5_clntrained", 10, 5},
                      FlowRun{"spatial_100_iterations", "lenet5_clntrained", 100, 1},
                      FlowRun{"spatial_100_iterations_advtrained", "lenet5_advtrained", 100, 1}),
    [](const auto& info) { return info.param.trace; });

}  // namespace
}  // namespace namid::attacks
