// SPDX-License-Identifier: Apache-2.0
// Auto-PGD against traces of AutoAttack (2023) on MNIST.
#include "namid/attacks/apgd.h"
#include <ATen/CPUGeneratorImpl.h>

#include "attacks/recorder.h"
#include "attacks/toy.h"
#include "namid/attacks/apgd_run.h"
#include "namid/attacks/apgd_t.h"
#include "namid/attacks/attack_scope.h"
#include "namid/attacks/rivals.h"
#include "support/known_models.h"

namespace namid::attacks {
namespace {

using testing::Trace;

struct Task {
  Classifier model = testing::known_model("lenet5_advtrained");
  at::Tensor x, y;
  Task() {
    const auto batch = testing::mnist(100);
    x = batch.x;
    y = batch.y;
  }
};

/// One run of 100 steps from x itself. Compares with the trace: losses of the first steps to 1e-4,
/// the means up to step 30 to 2e-3, the mean highest loss to 2 % (L2: not lower by more; float32
/// parts its runs after some 50 steps), samples never fooled to 2 of 100.
void expect_zero_start(const std::string& name, const Budget& budget, LossFunction loss) {
  const Task task;
  const Trace trace(name);
  Recorder recorder(std::move(loss));
  Context context;
  context.loss = recorder.hook();
  const Round round{.x = task.x, .y = task.y, .ids = hash_sample_ids(task.x, task.y)};
  const ApgdPlan plan{.last = {.budget = budget, .compat = Compat::autoattack}};
  const AttackScope scope(task.model);
  LossSurface surface("test", task.model, task.y, {}, context);
  const auto result = apgd_run(surface, round, plan, at::zeros_like(task.x), context);
  const auto ours = recorder.losses().slice(0, 0, 101), theirs = trace["loss_steps"];
  const auto apart = (ours - theirs).abs() / theirs.abs().clamp_min(0.1);
  std::printf("%s: largest difference of a loss at steps 0 to 5:", name.c_str());
  for (int step = 0; step <= 5; ++step) {
    const double largest = apart[step].max().item<double>();
    std::printf(" %.1e", largest);
    if (step <= 2) {
      EXPECT_LE(largest, 1e-3) << "step " << step;
    }
    EXPECT_LE(apart[step].median().item<double>(), 1e-5) << "step " << step;
  }
  for (const int step : {10, 20, 30})
    EXPECT_NEAR((ours[step].mean() / theirs[step].mean()).item<double>(), 1, 2e-3) << step;
  const double mean = ours.amax(0).mean().item<double>(),
               golden = trace["loss_best"].mean().item<double>();
  EXPECT_GE(mean, golden - 0.02 * std::abs(golden)) << "weaker than the reference";
  if (budget.norm == Norm::linf) {
    EXPECT_LE(mean, golden + 0.02 * std::abs(golden));
  }
  const auto robust = trace["robust_acc_flag"];
  std::printf("; mean highest loss %.5f, trace %.5f; verdicts that differ: %d\n", mean, golden,
              (result.success == robust).sum().item<int>());
  EXPECT_LE((result.success == robust).sum().item<int>(), 2);
}

TEST(ApgdTraceData, ClimbsAsTheReferenceFromTheImageItself) {
  NAMID_NEEDS_DATA();
  NAMID_NEEDS_TIES_OF_THE_TRACES();
  expect_zero_start("linf_apgd_ce_zero_start", {Norm::linf, 0.3},
                    climbed_loss(AttackLoss::cross_entropy, false));
  expect_zero_start("linf_apgd_dlr_zero_start", {Norm::linf, 0.3},
                    climbed_loss(AttackLoss::dlr, false));
  expect_zero_start("l2_apgd_ce_zero_start", {Norm::l2, 2},
                    climbed_loss(AttackLoss::cross_entropy, false));
  const Task task;
  const auto target = Trace("linf_apgd_dlr_target2_zero_start")["y_target"];
  EXPECT_TRUE(at::equal(rival_classes(task.model(task.x), task.y).select(1, 0), target));
  expect_zero_start("linf_apgd_dlr_target2_zero_start", {Norm::linf, 0.3},
                    [=](const at::Tensor&, const at::Tensor& logits, const at::Tensor& y) {
                      return dlr_targeted(logits, y, target);
                    });
}

using Attack = std::function<AttackResult(const Task&, const Context&)>;

Attack with(ApgdOptions options) {
  options.compat = Compat::autoattack;
  return [=](const Task& task, const Context& context) {
    return apgd(task.model, task.x, task.y, options, context);
  };
}

Attack with(ApgdTOptions options) {
  options.compat = Compat::autoattack;
  return [=](const Task& task, const Context& context) {
    return apgd_t(task.model, task.x, task.y, options, context);
  };
}

/// A whole attack with the reference's draws: fooled samples within `spread` of the trace's, norms
/// within the ball.
void expect_run(const std::string& name, const Budget& budget, int spread, const Attack& attack) {
  const Task task;
  const Trace trace(name);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(
      static_cast<std::uint64_t>(trace["seed"].item<std::int64_t>()));
  Context context;
  context.sequential = generator;
  const auto result = attack(task, context);
  const auto wrong = task.model(result.x_adv).argmax(1) != task.y;
  EXPECT_TRUE(at::equal(result.success, wrong));
  const auto theirs = trace["success"];
  const int fooled = wrong.sum().item<int>(), golden = theirs.sum().item<int>();
  std::printf("%s: fooled %d, trace %d; verdicts that differ: %d\n", name.c_str(), fooled, golden,
              (wrong != theirs).sum().item<int>());
  EXPECT_NEAR(fooled, golden, spread);
  const auto norms = perturbation_norms(result.x_adv, task.x, budget.norm);
  EXPECT_LE(norms.max().item<double>(), budget.epsilon * (1 + 1e-5));
  EXPECT_TRUE(
      at::equal(result.x_adv.index({wrong.logical_not()}), task.x.index({wrong.logical_not()})))
      << "failures are the clean image";
}

TEST(ApgdRunsHeavy, FoolAsManyAsTheReferenceInLinf) {
  NAMID_NEEDS_DATA();
  const Budget budget{Norm::linf, 0.3};
  expect_run("linf_apgd_ce", budget, 2, with(ApgdOptions{.budget = budget}));
  expect_run("linf_apgd_dlr", budget, 2,
             with(ApgdOptions{.budget = budget, .loss = AttackLoss::dlr}));
  expect_run("linf_apgd_t", budget, 2, with(ApgdTOptions{.budget = budget}));
}

TEST(ApgdRunsHeavy, FoolAsManyAsTheReferenceInL2) {
  NAMID_NEEDS_DATA();
  const Budget budget{Norm::l2, 2};
  expect_run("l2_apgd_ce", budget, 3, with(ApgdOptions{.budget = budget}));
  expect_run("l2_apgd_t", budget, 3, with(ApgdTOptions{.budget = budget}));
}

TEST(ApgdTraceData, FoolsAsManyAsTheReferenceInL1) {
  NAMID_NEEDS_DATA();
  const Budget budget{Norm::l1, 10};
  expect_run("l1_apgd_ce", budget, 3, with(ApgdOptions{.budget = budget, .restarts = 5}));
  // Its own seeds leave 53 to 64.
  expect_run("l1_apgd_ce_plain", budget, 11,
             with(ApgdOptions{.budget = budget, .larger_epsilon = Automatic<bool>(false)}));
}

}  // namespace
}  // namespace namid::attacks
