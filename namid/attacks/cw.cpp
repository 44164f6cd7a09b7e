// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/cw.h"

#include <algorithm>

#include "namid/attacks/adam.h"
#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/minimum_norm.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kCw = "cw";
constexpr double kUnbounded = 1e9;  // a c above this has never succeeded
constexpr double kProgress = 0.999999;

at::Tensor margin_of(const at::Tensor& logits, const at::Tensor& y, bool targeted) {
  const auto margin = attack_loss(AttackLoss::margin, logits, y);
  return targeted ? -margin : margin;
}

/// −max(−margin + κ, 0): what the first summand climbs.
LossFunction hinge(const CwOptions& options) {
  return [=](const at::Tensor&, const at::Tensor& logits, const at::Tensor& y) {
    return (margin_of(logits, y, options.targeted) - options.kappa).clamp_max(0);
  };
}

/// The constants c of the samples and the bounds of their binary search.
struct Constants {
  at::Tensor value, low, high;  // float64 (N)

  Constants(const at::Tensor& y, double first)
      : value(at::full_like(y, first, at::kDouble)),
        low(at::zeros_like(value)),
        high(at::full_like(value, 10 * kUnbounded)) {}

  void next(const at::Tensor& succeeded) {
    high = at::where(succeeded, at::minimum(high, value), high);
    low = at::where(succeeded, low, at::maximum(low, value));
    value = at::where(high < kUnbounded, (low + high) / 2, value * 10);
  }
};

class CwSearch {
 public:
  CwSearch(const Classifier& model, const Round& round, const CwOptions& options,
           const Context& context)
      : round_(round),
        options_(options),
        context_(context),
        reference_(options.compat == Compat::reference),
        surface_(kCw, model, round.y, hinge(options), context),
        w_(((round.x.clamp(0, 1) * 2 - 1) * options.shrink).atanh()),
        origin_(image(w_)) {}

  AttackResult run() {
    const auto& [x, y] = std::pair(round_.x, round_.y);
    Constants constants(y, options_.initial_const);
    if (reference_) {
      nearest_.start(x);
    } else {
      const auto clean = surface_.logits(x, 0);
      nearest_.update(x, at::zeros_like(constants.value), exceeds(clean), reading(clean), 0);
    }
    for (int search = 0; search < options_.searches; ++search) {
      const bool last = search + 1 == options_.searches;
      if (reference_ && last && options_.searches >= 10) constants.value = constants.high.clone();
      constants.next(minimise(constants.value, search * options_.steps));
    }
    const auto forwards = surface_.finish().forwards / y.size(0);
    auto result = within_budget(nearest_.found(forwards, context_), round_, options_.budget,
                                options_.targeted,
                                [&](const at::Tensor& at) { return surface_.logits(at, total()); });
    result.passes = surface_.finish();
    return result;
  }

 private:
  static at::Tensor image(const at::Tensor& w) { return (w.tanh() + 1) / 2; }
  int total() const { return options_.searches * options_.steps; }

  Reading reading(const at::Tensor& logits) const {
    return reading_of(logits, round_.y, options_.targeted);
  }
  at::Tensor exceeds(const at::Tensor& logits) const {
    return options_.kappa == 0 ? fooled(logits, round_.y, options_.targeted)
                               : margin_of(logits, round_.y, options_.targeted) > options_.kappa;
  }

  /// One search; which samples succeeded in it.
  at::Tensor minimise(const at::Tensor& constants, int first_step) {
    const auto c = per_sample(constants, w_).to(at::kFloat);
    if (reference_ || !options_.warm_start) delta_ = at::zeros_like(w_);
    auto succeeded = at::zeros_like(round_.y, at::kBool);
    Adam adam(options_.step_size);
    double before = 1e6;
    for (int step = 0; step < options_.steps; ++step) {
      if (context_.stop) context_.stop->check();
      const auto t = (w_ + delta_).tanh();
      const auto x_adv = (t + 1) / 2;
      const auto point = surface_.gradient(x_adv, first_step + step);
      const auto away = x_adv - origin_;
      if (context_.observe) context_.observe(first_step + step, point.loss.mean().item<double>());
      if (reference_ && step % std::max(1, options_.steps / 10) == 0) {
        const auto objective = away.square().sum() - (constants * point.loss).sum();
        if (objective.item<double>() > kProgress * before) break;
        before = objective.item<double>();
      }
      const auto success = exceeds(point.logits);
      const auto distance = perturbation_norms(x_adv, reference_ ? origin_ : round_.x, Norm::l2);
      nearest_.update(x_adv, distance, success, reading(point.logits), first_step + step);
      succeeded.logical_or_(success);
      const auto slope = away * 2 - point.gradient * c;
      adam.step(delta_, slope * (1 - t.square()) / 2);
    }
    return succeeded;
  }

  const Round& round_;
  const CwOptions& options_;
  const Context& context_;
  bool reference_;
  LossSurface surface_;
  at::Tensor w_, origin_, delta_ = at::zeros_like(w_);
  Nearest nearest_;
};

}  // namespace

AttackResult cw(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                const CwOptions& options, const Context& context) {
  validate(options, kCw);
  validate_budget(options.budget, kCw, {Norm::l2});
  check_compat(options.compat, {Compat::reference}, kCw);
  check_batch(model, x, y, kCw);
  const AttackScope scope(model);
  return run_rounds(kCw, x, y, rounds(options), context, [&](const Round& round) {
    return CwSearch(model, round, options, context).run();
  });
}

}  // namespace namid::attacks
