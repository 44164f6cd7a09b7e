// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/sinkhorn.h"

#include <cmath>

#include "namid/attacks/lambert_w.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

at::Tensor sample_sums(const at::Tensor& values) {
  return values.flatten(1).sum(1);
}

/// The dual problem of a batch, everything in float64.
class SinkhornDual {
 public:
  SinkhornDual(const at::Tensor& y, const at::Tensor& x, const at::Tensor& costs, double epsilon,
               double lambda)
      : kernel_(kernel_of(costs)), epsilon_(epsilon), lambda_(lambda) {
    const auto mass = per_sample(mass_of(x).clamp_min(1e-30), x);
    x_ = x.to(at::kDouble) / mass;
    y_ = y.to(at::kDouble) / mass;
    inside_ = costs < kOutside;
    costs_ = at::where(inside_, costs, 0).to(at::kDouble);
    beta_ = at::zeros_like(x_);
    psi_ = at::ones({x.size(0)}, x_.options());
    update_alpha(at::ones({x.size(0)}, x_.options().dtype(at::kBool)));
  }

  /// α, β, ψ of the samples that are `open`; → the dual before ψ moved.
  at::Tensor ascend(const at::Tensor& open) {
    update_alpha(open);
    const auto sums = arrived((alpha_.unsqueeze(-1) + log_kernel()).exp(), kernel_);
    const auto w = lambert_w_of_exp(y_ * lambda_ + sums.log() + std::log(lambda_));
    beta_ = at::where(per_sample(open, beta_), y_ * lambda_ - w, beta_);
    const auto now = plan();
    const auto value = dual(now);
    const auto moved = now * costs_;
    const auto slope = sample_sums(moved) - epsilon_, curvature = sample_sums(moved * costs_);
    psi_ = at::where(open & (curvature > 0), stepped(slope / curvature), psi_);
    return value;
  }
  void update_alpha(const at::Tensor& open) {
    const auto alpha = x_.log() - (gathered(beta_, kernel_) + log_kernel()).logsumexp(-1);
    alpha_ = alpha_.defined() ? at::where(per_sample(open, alpha), alpha, alpha_) : alpha;
  }

  at::Tensor plan() const {
    return (alpha_.unsqueeze(-1) + gathered(beta_, kernel_) + log_kernel()).exp();
  }
  at::Tensor image() const { return y_ - beta_ / lambda_; }
  const at::Tensor& psi() const { return psi_; }
  at::Tensor dual(const at::Tensor& plan) const {
    return sample_sums(at::where(x_ > 0, alpha_ * x_, 0) + beta_ * y_ -
                       beta_.square() / (2 * lambda_)) -
           psi_ * epsilon_ - sample_sums(plan);
  }
  at::Tensor primal(const at::Tensor& plan) const {
    return sample_sums((y_ - arrived(plan, kernel_)).square()) * (lambda_ / 2) +
           sample_sums(at::xlogy(plan, plan));
  }

 private:
  /// −ψ cost − 1, −∞ out of the image: (N, 1, H, W, K²).
  at::Tensor log_kernel() const {
    return (-psi_.view({-1, 1, 1, 1, 1}) * costs_ - 1)
        .masked_fill(inside_.logical_not(), -INFINITY);
  }
  /// ψ + step, the step halved until the sum is not negative.
  at::Tensor stepped(at::Tensor step) const {
    constexpr int kHalvings = 60;
    for (int i = 0; i < kHalvings; ++i) {
      const auto negative = psi_ + step < 0;
      if (!negative.any().item<bool>()) break;
      step = at::where(negative, step / 2, step);
    }
    return (psi_ + step).clamp_min(0);
  }

  int kernel_;
  double epsilon_, lambda_;
  at::Tensor x_, y_, costs_, inside_;
  at::Tensor alpha_, beta_, psi_;
};

}  // namespace

SinkhornPoint sinkhorn_projection(const at::Tensor& y, const at::Tensor& x, const at::Tensor& costs,
                                  double epsilon, const Sinkhorn& options) {
  SinkhornDual problem(y, x, costs, epsilon, options.lambda);
  auto open = at::ones({x.size(0)}, x.options().dtype(at::kBool));
  auto before = problem.dual(problem.plan());
  for (int i = 0; i < options.iterations && open.any().item<bool>(); ++i) {
    const auto now = problem.ascend(open);
    const auto still = (now - before).abs() > options.tolerance * (now.abs() + 1);
    open = open & still;  // NaN is not still either
    before = now;
  }
  problem.update_alpha(at::ones_like(open));
  SinkhornPoint found{.plan = problem.plan(), .image = problem.image(), .psi = problem.psi()};
  found.primal = problem.primal(found.plan);
  found.dual = problem.dual(found.plan);
  found.finite = found.plan.isfinite().flatten(1).all(1) & found.image.isfinite().flatten(1).all(1);
  return found;
}

}  // namespace namid::attacks
