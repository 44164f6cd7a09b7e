// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "namid/attacks/attack.h"
#include "namid/attacks/rounds.h"

namespace namid::attacks {

// What attacks have in common that look for the smallest perturbation and know no ball.

/// What a model said of points: whether they fool it, bool (N), and their margin (targeted: −margin
/// of the target), float32 (N).
struct Reading {
  at::Tensor fooled, margin;
};
Reading reading_of(const at::Tensor& logits, const at::Tensor& y, bool targeted);

/// What such a search found for the rows of a round.
struct FoundPoints {
  AttackResult at;      ///< success and loss: the reading of x_adv where `read`
  at::Tensor read;      ///< bool (N); undefined: nowhere
  bool compact = true;  ///< Context::compact
};

/// As an attack within a budget: x_adv as it is where its norm, in float64, is at most epsilon;
/// else moved into the ball, so that nothing at the border is lost to a comparison. Success and
/// loss are the reading of the returned points: by a forward of `logits`(x_adv, y) of those that
/// moved or were not read, which is added to what found.at.forwards says, where it says anything.
AttackResult within_budget(FoundPoints found, const Round& round, const Budget& budget,
                           bool targeted,
                           const std::function<at::Tensor(const at::Tensor& x_adv)>& logits);

/// The nearest point to x that counts as a success, per sample, and its reading.
class Nearest {
 public:
  /// x itself, not read and no success. Else the first update is kept whatever it is.
  void start(const at::Tensor& x);
  /// distance: float64 (N); counts: bool (N), whether the point is a success.
  void update(const at::Tensor& x_adv, const at::Tensor& distance, const at::Tensor& counts,
              const Reading& reading, std::int64_t step);
  /// forwards: those that each row took.
  FoundPoints found(std::int64_t forwards, const Context& context) const;

 private:
  at::Tensor x_adv_, distance_, counts_, step_, fooled_, margin_, read_;
};

/// The dual norm, in which gradients are measured: l1 of linf, linf of l1, l2 of itself; l0 has
/// none.
constexpr Norm dual(Norm norm) {
  return norm == Norm::linf ? Norm::l1 : norm == Norm::l1 ? Norm::linf : Norm::l2;
}

}  // namespace namid::attacks
