// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/best.h"

#include "namid/attacks/norms.h"

namespace namid::attacks {

void Best::update(const at::Tensor& x_adv, const at::Tensor& loss, const at::Tensor& success,
                  std::int64_t step) {
  if (!x_adv_.defined()) {
    x_adv_ = x_adv.clone();
    loss_ = loss.clone();
    success_ = success.clone();
    step_ = at::full_like(success, step, at::kLong);
    return;
  }
  const auto newly = success & ~success_;
  const auto better = newly | ((success == success_) & (loss > loss_));
  at::where_out(x_adv_, per_sample(better, x_adv), x_adv, x_adv_);
  at::where_out(loss_, better, loss, loss_);
  success_.logical_or_(success);
  step_.masked_fill_(better, step);
}

AttackResult Best::result() const {
  return {.x_adv = x_adv_, .success = success_, .step = step_, .loss = loss_, .passes = {}};
}

void LastFooled::update(const at::Tensor& x_adv, const at::Tensor& loss, const at::Tensor& success,
                        std::int64_t step) {
  const auto steps = at::full_like(success, step, at::kLong);
  if (!kept_.x_adv.defined()) {
    kept_ = {.x_adv = x_adv, .success = success, .step = steps, .loss = loss, .passes = {}};
    return;
  }
  kept_.x_adv = at::where(per_sample(success, x_adv), x_adv, kept_.x_adv);
  kept_.loss = at::where(success, loss, kept_.loss);
  kept_.step = at::where(success, steps, kept_.step);
  kept_.success = kept_.success | success;
}

}  // namespace namid::attacks
