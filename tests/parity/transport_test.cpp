// SPDX-License-Identifier: Apache-2.0
// Wasserstein attacks against traces of the released code of NAMID and of Wu et al. 2020.
#include "namid/attacks/frank_wolfe.h"
#include "namid/attacks/transport_pgd.h"
#include "support/known_models.h"

namespace namid::attacks {
namespace {

using testing::known_model;
using testing::mnist;
using testing::Trace;

struct TransportRun {
  std::string trace, model;
  double epsilon;
  int kernel;
  int steps = 10;
  double step_size = 0;  // 0: Frank-Wolfe
};

class TransportTraceData : public ::testing::TestWithParam<TransportRun> {};

TEST_P(TransportTraceData, FoolsAsManyAtTheSameCost) {
  NAMID_NEEDS_DATA();
  NAMID_NEEDS_TIES_OF_THE_TRACES();
  const auto& run = GetParam();
  const Trace reference(run.trace);
  const auto batch = mnist(20);
  const auto model = known_model(run.model);
  std::vector<double> losses;
  const Context context{.observe = [&](int, double loss) { losses.push_back(20 * loss); }};
  const auto made =
      run.step_size == 0
          ? frank_wolfe(model, batch.x, batch.y,
                        {.budget = {Norm::wasserstein, run.epsilon},
                         .kernel = run.kernel,
                         .steps = run.steps,
                         .oracle = {.together = true},
                         .overflow = Overflow::clip,
                         .judge = Judge::last},
                        context)
          : transport_pgd(
                model, batch.x, batch.y,
                {.budget = {Norm::wasserstein, run.epsilon},
                 .kernel = run.kernel,
                 .steps = run.steps,
                 .step_size = run.step_size,
                 .projection = {.iterations = run.kernel == 4 ? 15 : 25, .together = true},
                 .overflow = Overflow::clip,
                 .judge = Judge::last},
                context);
  const auto costs = move_costs(28, 28, run.kernel);
  EXPECT_LE((transport_cost(made.plan, costs) / mass_of(batch.x)).max().item<double>(),
            run.epsilon * (1 + 1e-3));
  const auto expected = reference["batch_loss_per_iter"].to(at::kDouble);
  for (std::size_t i = 0; i < std::min<std::size_t>(losses.size(), 3); ++i)
    EXPECT_NEAR(losses[i], expected[static_cast<std::int64_t>(i)].item<double>(),
                2e-3 * losses[i] + 1e-3)
        << "step " << i;
  const auto count = [](const at::Tensor& flags) { return flags.sum().item<std::int64_t>(); };
  EXPECT_LE(std::abs(count(made.success) - count(reference["success_clipped"])), 1);
}

INSTANTIATE_TEST_SUITE_P(Settings, TransportTraceData,
                         ::testing::Values(TransportRun{"wasserstein_dual_projection_clntrained",
                                                        "lenet5_clntrained", 0.1, 5, 10, 0.1},
                                           TransportRun{"wasserstein_dual_projection_advtrained",
                                                        "lenet5_advtrained", 1.0, 5, 10, 1.0},
                                           TransportRun{
                                               "wasserstein_dual_projection_repo_parameters",
                                               "lenet5_clntrained", 8.0 / 255, 4, 40, 0.007},
                                           TransportRun{"wasserstein_frank_wolfe_clntrained",
                                                        "lenet5_clntrained", 0.1, 5, 20},
                                           TransportRun{"wasserstein_frank_wolfe_advtrained",
                                                        "lenet5_advtrained", 1.0, 5, 20}),
                         [](const auto& info) { return info.param.trace; });

}  // namespace
}  // namespace namid::attacks
