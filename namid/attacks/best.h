// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Which iterate is returned. best: any misclassified one beats any correct one, then the highest
/// loss; last: the final point (reference code).
enum class Judge { best, last };

/// The best point seen so far, per sample, by the rule of Judge::best; among equals the earliest.
class Best {
 public:
  /// x_adv: (N, ...); loss: (N); success: bool (N). Copies what it keeps.
  void update(const at::Tensor& x_adv, const at::Tensor& loss, const at::Tensor& success,
              std::int64_t step);

  /// The points kept. At least one update must have been made.
  AttackResult result() const;

 private:
  at::Tensor x_adv_, loss_, success_, step_;
};

/// The last misclassified point, else the first one: what AutoAttack's code keeps.
class LastFooled {
 public:
  void update(const at::Tensor& x_adv, const at::Tensor& loss, const at::Tensor& success,
              std::int64_t step);
  AttackResult result() const { return kept_; }

 private:
  AttackResult kept_;
};

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Judge> {
  static constexpr std::array kNames{"best", "last"};
};
}  // namespace namid
