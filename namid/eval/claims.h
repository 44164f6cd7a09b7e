// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "namid/attacks/attack.h"

namespace namid::eval {

/// An attack's own words on each row of its batch, on the CPU; it may keep silent on any of them.
/// None is believed: the verifier says what is so.
class Claims {
 public:
  explicit Claims(const attacks::AttackResult& result);

  bool success(std::int64_t row) const;  ///< false where nothing is said
  double loss(std::int64_t row) const;   ///< NaN where nothing is said
  std::int64_t step(std::int64_t row) const { return value_or(step_, row, 0); }
  std::int64_t round(std::int64_t row, std::int64_t otherwise) const {
    return value_or(round_, row, otherwise);
  }
  /// Passes that the row's own result took, or its share of the batch's, rounded up.
  std::int64_t forwards(std::int64_t row) const {
    return value_or(forwards_, row, share_.forwards);
  }
  std::int64_t backwards(std::int64_t row) const {
    return value_or(backwards_, row, share_.backwards);
  }
  const at::Tensor& x_adv() const { return x_adv_; }  ///< float32 (N, ...)
  const at::Tensor& plan() const { return plan_; }    ///< float32 (N, C, H, W, K²), or undefined

 private:
  static std::int64_t value_or(const at::Tensor& values, std::int64_t row, std::int64_t otherwise);

  at::Tensor x_adv_, success_, step_, round_, loss_, forwards_, backwards_, plan_;
  attacks::Passes share_;
};

}  // namespace namid::eval
