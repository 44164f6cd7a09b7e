// SPDX-License-Identifier: Apache-2.0
// PGD against traces of MIAT's code and advertorch on MNIST.
#include "namid/attacks/pgd.h"

#include <ATen/CPUGeneratorImpl.h>

#include "attacks/toy.h"
#include "namid/attacks/norms.h"
#include "support/known_models.h"

namespace namid::attacks {
namespace {

using testing::Trace;

void expect_verdicts(const std::string& name, const at::Tensor& wrong, const at::Tensor& theirs,
                     int spread) {
  const int apart = (wrong != theirs).sum().item<int>();
  std::printf("%s: fooled %d, trace %d; verdicts that differ: %d\n", name.c_str(),
              wrong.sum().item<int>(), theirs.sum().item<int>(), apart);
  EXPECT_LE(apart, spread) << name;
}

Context seeded(std::uint64_t seed) {
  Context context;
  context.sequential = at::make_generator<at::CPUGeneratorImpl>(seed);
  return context;
}

void expect_linf(const std::string& name, const std::string& network, double epsilon, Start start) {
  const auto model = testing::known_model(network);
  const auto batch = testing::mnist(100);
  const auto& x = batch.x;
  const Trace trace(name);
  const PgdOptions options{.budget = {Norm::linf, epsilon},
                           .steps = 40,
                           .step_size = 0.01,
                           .start = start,
                           .judge = Judge::last};
  const auto result = pgd(model, x, batch.y, options, seeded(1));
  expect_verdicts(name, result.success, trace["success"], 1);
  EXPECT_LE(perturbation_norms(result.x_adv, x, Norm::linf).max().item<double>(), epsilon + 1e-6);
  const double apart = (result.loss.mean() - trace["loss_ce"].mean()).abs().item<double>();
  EXPECT_LE(apart, 0.02 * trace["loss_ce"].mean().item<double>());
}

TEST(PgdTraceData, FoolsWhatTheReferenceFoolsInLinf) {
  NAMID_NEEDS_DATA();
  expect_linf("linf_pgd_zero_start", "lenet5_advtrained", 0.3, Start::none);
  expect_linf("linf_pgd_zero_start_clntrained", "lenet5_clntrained", 0.1, Start::none);
  expect_linf("linf_pgd_noise_start", "lenet5_advtrained", 0.3, Start::gauss);
}

TEST(PgdTraceData, DrawsTheStartsOfTheReference) {
  NAMID_NEEDS_DATA();
  const auto x = testing::mnist(100).x;
  for (const auto norm : {Norm::linf, Norm::l2}) {
    const Trace trace(norm == Norm::linf ? "linf_pgd_noise_start" : "l2_pgd_noise_start");
    const auto context = seeded(1);
    const auto start = start_point(x, Start::gauss, {norm, 0.3}, Draws(context, {}, 0));
    EXPECT_TRUE(at::allclose(start, x + 0.001 * trace["start_normal_draw"], 0, 1e-7));
  }
}

TEST(PgdTraceData, FoolsWhatTheReferenceFoolsInL2) {
  NAMID_NEEDS_DATA();
  const auto model = testing::known_model("lenet5_advtrained");
  const auto batch = testing::mnist(100);
  const auto &x = batch.x, &y = batch.y;
  for (const std::string name : {"l2_pgd_zero_start", "l2_pgd_noise_start"}) {
    const Trace trace(name);
    const bool noise = name == "l2_pgd_noise_start";
    PgdOptions options{.budget = {Norm::l2, 2},
                       .steps = 40,
                       .step_size = 2 * 2.0 / 40,
                       .start = noise ? Start::gauss : Start::none,
                       .judge = Judge::last,
                       .l2_order = L2Order::box_first};
    const auto x_adv = pgd(model, x, y, options, seeded(1)).x_adv;
    const auto logits = model(x_adv);
    expect_verdicts(name + ", box then ball", logits.argmax(1) != y, trace["success"], 1);
    const auto norms = perturbation_norms(x_adv, x, Norm::l2);
    EXPECT_NEAR(norms.median().item<double>() / trace["norm_l2"].median().item<double>(), 1, 0.02);
    EXPECT_NEAR(
        at::cross_entropy_loss(logits, y).item<double>() / trace["loss_ce"].mean().item<double>(),
        1, 0.02);
    options.l2_order = L2Order::ball_first;
    const auto result = pgd(model, x, y, options, seeded(1));
    const int fooled = result.success.sum().item<int>(),
              golden = trace["success"].sum().item<int>();
    std::printf("%s, ball then box: fooled %d, trace %d\n", name.c_str(), fooled, golden);
    EXPECT_GE(fooled, golden - 2) << "as strong as the reference";
  }
}

}  // namespace
}  // namespace namid::attacks
