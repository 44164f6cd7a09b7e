// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/malt.h"

#include <limits>
#include <vector>

#include "namid/attacks/apgd_run.h"
#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/logit_gradients.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/minimum_norm.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/rivals.h"
#include "namid/attacks/rounds.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kMalt = "malt";
constexpr double kNever = std::numeric_limits<double>::infinity();

LossFunction aimed_at(const at::Tensor& target) {
  return [=](const at::Tensor&, const at::Tensor& logits, const at::Tensor&) {
    return dlr_towards(logits, target);
  };
}

MaltRanking ranking_of(LogitGradients& surface, const at::Tensor& x, const at::Tensor& y, Norm norm,
                       int candidates) {
  const auto logits = surface.logits(x, 0);
  const auto classes = rival_classes(logits, y, candidates);
  const auto predicted = std::get<0>(logits.max(1)).to(at::kDouble);
  std::vector<at::Tensor> scores;
  surface.differences(
      surface.point(x, 0), y, classes, 0, [&](const at::Tensor&, const at::Tensor& gradient) {
        const auto column = static_cast<std::int64_t>(scores.size());
        const auto behind = predicted - logits.gather(1, classes.narrow(1, column, 1)).squeeze(1);
        const auto slope = sample_norms(gradient, dual(norm));
        scores.push_back(at::where(slope > 0, behind / slope.clamp_min(1e-300), kNever));
      });
  const auto all = at::stack(scores, 1);
  const auto order = all.argsort(/*stable=*/true, 1, /*descending=*/false);
  return {classes.gather(1, order), all.gather(1, order)};
}

}  // namespace

MaltRanking malt_ranking(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                         Norm norm, int candidates, const Context& context) {
  check_batch(model, x, y, kMalt);
  const AttackScope scope(model);
  LogitGradients surface(kMalt, model, context);
  auto ranking = ranking_of(surface, x, y, norm, candidates);
  surface.finish();
  return ranking;
}

AttackResult malt(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                  const MaltOptions& options, const Context& context) {
  validate(options, kMalt);
  validate_budget(options.budget, kMalt);
  check_batch(model, x, y, kMalt);
  const auto classes = model.info().num_classes;
  check_four_classes(classes, kMalt);
  const ApgdPlan plan{
      .last = {.budget = options.budget, .steps = options.steps, .rho = options.rho},
      .larger_epsilon =
          wants_larger_epsilon(options.larger_epsilon, options.budget, options.steps, kMalt)};
  const AttackScope scope(model);
  return run_rounds(kMalt, x, y, rounds(options, classes), context, [&](const Round& round) {
    LogitGradients boundaries(kMalt, model, context);
    const auto ranked =
        ranking_of(boundaries, round.x, round.y, options.budget.norm, options.candidates);
    const auto before = boundaries.finish();
    LossSurface surface(kMalt, model, round.y,
                        aimed_at(ranked.classes.select(1, round.index).contiguous()), context);
    const auto noise = apgd_noise(round.x, plan, Draws(context, round.ids, round.epoch));
    auto result = apgd_run(surface, round, plan, noise, context);
    result.passes.forwards += before.forwards;
    result.passes.backwards += before.backwards;
    return result;
  });
}

}  // namespace namid::attacks
