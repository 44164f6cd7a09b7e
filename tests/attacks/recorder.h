// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {

/// A loss that remembers its values at each evaluation and the point of the highest.
class Recorder {
 public:
  explicit Recorder(LossFunction loss) : loss_(std::move(loss)) {}

  LossFunction hook() {
    return [this](const at::Tensor& x_adv, const at::Tensor& logits, const at::Tensor& y) {
      const auto loss = loss_(x_adv, logits, y);
      record(x_adv.detach(), loss.detach());
      return loss;
    };
  }
  /// (evaluations, N).
  at::Tensor losses() const { return at::stack(losses_); }
  at::Tensor highest_point() const { return point_; }
  /// Over `count` evaluations from the one numbered `first`, from 0.
  at::Tensor highest(std::int64_t first, std::int64_t count) const {
    return losses().slice(0, first, first + count).amax(0);
  }
  at::Tensor highest() const { return losses().amax(0); }

 private:
  void record(const at::Tensor& x_adv, const at::Tensor& loss) {
    if (losses_.empty()) {
      highest_ = loss;
      point_ = x_adv.clone();
    }
    const auto higher = loss > highest_;
    highest_ = at::where(higher, loss, highest_);
    point_ = at::where(per_sample(higher, x_adv), x_adv, point_);
    losses_.push_back(loss.clone());
  }

  LossFunction loss_;
  std::vector<at::Tensor> losses_;
  at::Tensor highest_, point_;
};

}  // namespace namid::attacks
