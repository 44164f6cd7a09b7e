// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/apgd_run.h"

#include "namid/attacks/best.h"
#include "namid/attacks/norms.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

/// A run in progress: what its stages share.
struct Run {
  LossSurface& surface;
  const Round& round;
  const ApgdPlan& plan;
  const Context& context;
  int step = 0;  // over all stages
};

template <class Kept>
void judge(Kept& kept, const Run& run, const at::Tensor& x_adv, const LossAndGradient& point) {
  kept.update(x_adv, point.loss, fooled(point.logits, run.round.y, run.plan.targeted), run.step);
}

void before_step(const Run& run, const LossAndGradient& point) {
  if (run.context.stop) run.context.stop->check();
  if (run.context.observe)
    run.context.observe(run.round.index * run.plan.last.steps + run.step,
                        point.loss.mean().item<double>());
}

/// arXiv:2003.01690, Algorithm 1; returns the point of the highest loss. Points are judged by
/// `kept`.
template <class Steps, class Kept>
at::Tensor climb(Run& run, const ApgdStage& stage, at::Tensor x_adv, Kept& kept) {
  auto point = run.surface.gradient(x_adv, run.step);
  Highest highest(x_adv, point);
  judge(kept, run, x_adv, point);
  Steps steps(run.round.x, stage, highest);
  auto gradient = point.gradient;
  for (int left = stage.steps; left > 0; --left) {
    before_step(run, point);
    x_adv = steps.next(x_adv, gradient);
    ++run.step;
    point = left > 1 ? run.surface.gradient(x_adv, run.step) : run.surface.value(x_adv, run.step);
    judge(kept, run, x_adv, point);
    highest.update(x_adv, point);
    gradient = point.gradient;
    const auto back = steps.shrink(point.loss, highest);
    if (left == 1 || !back.defined()) continue;
    const auto rows = per_sample(back, x_adv);
    x_adv = at::where(rows, highest.x_adv, x_adv);
    gradient = at::where(rows, highest.gradient, gradient);
  }
  return highest.x_adv;
}

template <class Steps, class Kept>
AttackResult climb_stages(Run& run, const at::Tensor& noise) {
  const auto& x = run.round.x;
  at::Tensor x_adv;
  Kept kept;
  for (const auto& stage : apgd_stages(run.plan)) {
    kept = {};
    x_adv = x_adv.defined() ? apgd_project(x_adv, x, stage) : apgd_start(x, noise, stage);
    x_adv = climb<Steps>(run, stage, x_adv, kept);
  }
  return kept.result();
}

/// Failures are the clean image, as AutoAttack returns them.
void keep_successes_only(AttackResult& result, Run& run) {
  const auto clean = run.surface.value(run.round.x, run.step);
  const auto keep = result.success;
  const auto inside = project(result.x_adv, run.round.x, run.plan.last.budget);
  result.x_adv = at::where(per_sample(keep, run.round.x), inside, run.round.x);
  result.loss = at::where(keep, result.loss, clean.loss);
  result.step = at::where(keep, result.step, 0);
  result.success = keep | fooled(clean.logits, run.round.y, run.plan.targeted);
}

}  // namespace

bool wants_larger_epsilon(const Automatic<bool>& choice, const Budget& budget, int steps,
                          std::string_view where) {
  const bool possible = budget.norm == Norm::l1 && steps >= 3;
  const bool wanted = choice.value_or(possible);
  if (wanted && !possible)
    throw OptionError(str("[", where, "] larger_epsilon: needs the norm l1 and at least 3 steps, ",
                          "got ", to_string(budget.norm), " and ", steps, "; leave it auto"));
  return wanted;
}

std::vector<ApgdStage> apgd_stages(const ApgdPlan& plan) {
  if (!plan.larger_epsilon) return {plan.last};
  auto wide = plan.last, narrower = plan.last, last = plan.last;
  wide.budget.epsilon *= 3;
  narrower.budget.epsilon *= 2;
  wide.steps = narrower.steps = std::min((3 * last.steps + 9) / 10, (last.steps - 1) / 2);
  last.steps -= 2 * wide.steps;
  wide.given_start = narrower.given_start = last.given_start = true;
  return {wide, narrower, last};
}

at::Tensor apgd_noise(const at::Tensor& x, const ApgdPlan& plan, const Draws& draws) {
  if (plan.last.budget.norm == Norm::linf) return draws.uniform(x).mul_(2).sub_(1);
  const auto noise = draws.normal(x);
  const int unused = draws.sequential() && plan.larger_epsilon ? 3 : 0;
  for (int i = 0; i < unused; ++i) draws.normal(x);
  return noise;
}

at::Tensor apgd_start(const at::Tensor& x, const at::Tensor& noise, const ApgdStage& stage) {
  const auto [norm, epsilon] = stage.budget;
  if (norm == Norm::l1) return apgd_project(x + noise, x, stage);
  const auto length = sample_norms(noise, norm).clamp_min(1e-12).to(at::kFloat);
  return apgd_project(x + noise / per_sample(length, x) * epsilon, x, stage);
}

AttackResult apgd_run(LossSurface& surface, const Round& round, const ApgdPlan& plan,
                      const at::Tensor& noise, const Context& context) {
  Run run{.surface = surface, .round = round, .plan = plan, .context = context};
  const bool sparse = plan.last.budget.norm == Norm::l1;
  AttackResult result;
  if (plan.last.compat == Compat::autoattack) {
    result = sparse ? climb_stages<SparseSteps, LastFooled>(run, noise)
                    : climb_stages<MomentumSteps, LastFooled>(run, noise);
    keep_successes_only(result, run);
  } else {
    result = sparse ? climb_stages<SparseSteps, Best>(run, noise)
                    : climb_stages<MomentumSteps, Best>(run, noise);
  }
  result.passes = surface.finish();
  return result;
}

}  // namespace namid::attacks
