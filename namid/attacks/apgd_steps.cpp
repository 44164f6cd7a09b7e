// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/apgd_steps.h"

#include "namid/attacks/norms.h"
#include "namid/attacks/steps.h"

namespace namid::attacks {
namespace {

constexpr double kStepWeight = 0.75;
constexpr double kFirstShare = 0.2;
constexpr double kSparser = 1.5;
constexpr double kSmallEntry = 1e-9;

int at_least_one(int value) {
  return std::max(value, 1);
}

L2Order l2_order(const ApgdStage& stage) {
  return stage.l2_order.value_or(stage.compat == Compat::autoattack ? L2Order::ball_first
                                                                    : L2Order::box_first);
}

at::Tensor full_rows(const at::Tensor& batch, double value) {
  return at::full({batch.size(0)}, value, batch.options().dtype(at::kFloat));
}

}  // namespace

at::Tensor apgd_project(const at::Tensor& x_adv, const at::Tensor& x, const ApgdStage& stage) {
  const auto& budget = stage.budget;
  if (stage.compat == Compat::none || budget.norm != Norm::l1 || budget.epsilon == 0)
    return project(x_adv, x, budget, l2_order(stage));
  const auto v = x_adv - x;
  const auto correction = l1_box_projection(v, x, budget.epsilon) - v.to(at::kDouble);
  return x + v + correction.to(at::kFloat);
}

Highest::Highest(const at::Tensor& start, const LossAndGradient& point)
    : x_adv(start.clone()), loss(point.loss), gradient(point.gradient.clone()) {}

void Highest::update(const at::Tensor& candidate, const LossAndGradient& point) {
  const auto higher = point.loss > loss;
  const auto rows = per_sample(higher, candidate);
  loss = at::where(higher, point.loss, loss);
  at::where_out(x_adv, rows, candidate, x_adv);
  if (point.gradient.defined()) at::where_out(gradient, rows, point.gradient, gradient);
}

MomentumSteps::MomentumSteps(const at::Tensor& x, const ApgdStage& stage, const Highest& start)
    : norm_(stage.budget.norm),
      project_(x, stage.budget, l2_order(stage)),
      rho_(stage.rho),
      distance_(at_least_one(22 * stage.steps / 100)),
      shorter_(at_least_one(3 * stage.steps / 100)),
      shortest_(at_least_one(6 * stage.steps / 100)),
      step_size_(full_rows(x, 2 * stage.budget.epsilon)),
      before_(start.x_adv.clone()),
      previous_loss_(stage.compat == Compat::autoattack ? at::zeros_like(start.loss) : start.loss),
      rises_(at::zeros_like(start.loss)),
      halved_(at::ones_like(start.loss, at::kBool)),
      highest_loss_(start.loss) {}

at::Tensor MomentumSteps::next(const at::Tensor& x_adv, const at::Tensor& gradient) {
  auto z = x_adv + per_sample(step_size_, x_adv) * ascent(gradient, norm_);
  project_(z);
  const double weight = first_ ? 1 : kStepWeight;
  first_ = false;
  auto moved = x_adv + (z - x_adv) * weight + (x_adv - before_) * (1 - weight);
  project_(moved);
  before_ = x_adv;
  return moved;
}

at::Tensor MomentumSteps::conditions(const Highest& highest) const {
  const auto oscillates = rises_ <= rho_ * distance_;
  const auto stalls = halved_.logical_not() & (highest_loss_ >= highest.loss);
  return oscillates | stalls;
}

at::Tensor MomentumSteps::shrink(const at::Tensor& loss, const Highest& highest) {
  rises_.add_(loss > previous_loss_);
  previous_loss_ = loss;
  if (++made_ < distance_) return {};
  halved_ = conditions(highest);
  highest_loss_ = highest.loss;
  step_size_ = at::where(halved_, step_size_ / 2, step_size_);
  rises_.zero_();
  made_ = 0;
  distance_ = std::max(distance_ - shorter_, shortest_);
  return halved_;
}

SparseSteps::SparseSteps(const at::Tensor& x, const ApgdStage& stage, const Highest& start)
    : x_(x),
      stage_(stage),
      entries_(static_cast<double>(x.numel() / x.size(0))),
      distance_(at_least_one(4 * stage.steps / 100)),
      step_size_(full_rows(x, stage.budget.epsilon)),
      changed_(stage.given_start ? changed_entries(start.x_adv) : full_rows(x, entries_)),
      share_(stage.given_start ? changed_ / entries_ / kSparser : full_rows(x, kFirstShare)) {}

at::Tensor SparseSteps::changed_entries(const at::Tensor& x_adv) const {
  const double smallest = stage_.compat == Compat::autoattack ? 0 : kSmallEntry;
  return ((x_adv - x_).flatten(1).abs() > smallest).sum(1).to(at::kFloat);
}

at::Tensor SparseSteps::next(const at::Tensor& x_adv, const at::Tensor& gradient) {
  const auto size = gradient.flatten(1).abs();
  const auto rank = ((1 - share_) * entries_).clamp(0, entries_ - 1).to(at::kLong);
  const auto threshold = std::get<0>(size.sort(1)).gather(1, rank.unsqueeze(1));
  const auto u = at::where(size >= threshold, gradient.flatten(1).sign(), 0.0);
  const auto step = step_size_.unsqueeze(1) * u / (u.abs().sum(1, true) + 1e-10);
  return apgd_project(x_adv + step.view(x_adv.sizes()), x_, stage_);
}

at::Tensor SparseSteps::shrink(const at::Tensor& /*loss*/, const Highest& highest) {
  if (++made_ < distance_) return {};
  made_ = 0;
  const auto changed = changed_entries(highest.x_adv);
  const auto sparser = changed / changed_ < 0.95;
  share_ = changed / entries_ / kSparser;
  changed_ = changed;
  const double epsilon = stage_.budget.epsilon;
  step_size_ = at::where(sparser, epsilon, step_size_ / kSparser).clamp_(epsilon / 10, epsilon);
  return sparser;
}

}  // namespace namid::attacks
