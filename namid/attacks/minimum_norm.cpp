// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/minimum_norm.h"

#include <utility>

#include "namid/attacks/gradient.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/projection.h"

namespace namid::attacks {

Reading reading_of(const at::Tensor& logits, const at::Tensor& y, bool targeted) {
  const auto margin = attack_loss(AttackLoss::margin, logits, y);
  return {fooled(logits, y, targeted), targeted ? -margin : margin};
}

AttackResult within_budget(FoundPoints found, const Round& round, const Budget& budget,
                           bool targeted,
                           const std::function<at::Tensor(const at::Tensor& x_adv)>& logits) {
  auto made = std::move(found.at);
  const auto inside = move_inside(made.x_adv, round.x, budget);
  const auto asked =
      found.read.defined() ? (inside & found.read).logical_not() : at::ones_like(inside);
  if (made.forwards.defined()) made.forwards = made.forwards + asked;
  if (!asked.any().item<bool>()) return made;
  const auto rows = found.compact ? asked.nonzero().squeeze(1)
                                  : at::arange(asked.size(0), asked.options().dtype(at::kLong));
  const auto pick = [&](const at::Tensor& all) { return all.index_select(0, rows); };
  const auto reading = reading_of(logits(pick(made.x_adv)), pick(round.y), targeted);
  const auto take = [&](const at::Tensor& known, const at::Tensor& now) {
    return found.read.defined()
               ? known.index_copy(0, rows, at::where(pick(asked), now, pick(known)))
               : now;
  };
  made.success = take(made.success, reading.fooled);
  made.loss = take(made.loss, reading.margin);
  return made;
}

void Nearest::start(const at::Tensor& x) {
  const auto rows = [&](at::ScalarType type) {
    return at::zeros({x.size(0)}, x.options().dtype(type));
  };
  x_adv_ = x.clone();
  distance_ = rows(at::kDouble);
  counts_ = rows(at::kBool);
  step_ = rows(at::kLong);
  fooled_ = rows(at::kBool);
  margin_ = rows(at::kFloat);
  read_ = rows(at::kBool);
}

void Nearest::update(const at::Tensor& x_adv, const at::Tensor& distance, const at::Tensor& counts,
                     const Reading& reading, std::int64_t step) {
  const bool first = !x_adv_.defined();
  if (first) start(x_adv);
  const auto newly = counts & counts_.logical_not();
  const auto nearer = newly | ((counts == counts_) & (distance < distance_));
  const auto better = first ? at::ones_like(nearer) : nearer;
  at::where_out(x_adv_, per_sample(better, x_adv), x_adv, x_adv_);
  at::where_out(distance_, better, distance, distance_);
  at::where_out(fooled_, better, reading.fooled, fooled_);
  at::where_out(margin_, better, reading.margin, margin_);
  counts_.logical_or_(counts);
  step_.masked_fill_(better, step);
  read_.logical_or_(better);
}

FoundPoints Nearest::found(std::int64_t forwards, const Context& context) const {
  return {.at = {.x_adv = x_adv_,
                 .success = fooled_,
                 .step = step_,
                 .loss = margin_,
                 .passes = {},
                 .forwards = at::full_like(step_, forwards)},
          .read = read_,
          .compact = context.compact};
}

}  // namespace namid::attacks
