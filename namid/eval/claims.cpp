// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/claims.h"

#include <limits>

namespace namid::eval {
namespace {

at::Tensor on_cpu(const at::Tensor& values, at::ScalarType type) {
  return values.defined() ? values.detach().to(at::kCPU, type).contiguous() : values;
}

}  // namespace

Claims::Claims(const attacks::AttackResult& result)
    : x_adv_(on_cpu(result.x_adv, at::kFloat)),
      success_(on_cpu(result.success, at::kBool)),
      step_(on_cpu(result.step, at::kLong)),
      round_(on_cpu(result.round, at::kLong)),
      loss_(on_cpu(result.loss, at::kDouble)),
      forwards_(on_cpu(result.forwards, at::kLong)),
      backwards_(on_cpu(result.backwards, at::kLong)),
      plan_(on_cpu(result.plan, at::kFloat)) {
  const auto rows = x_adv_.size(0);
  share_ = {.forwards = (result.passes.forwards + rows - 1) / rows,
            .backwards = (result.passes.backwards + rows - 1) / rows};
}

bool Claims::success(std::int64_t row) const {
  return success_.defined() && success_.const_data_ptr<bool>()[row];
}

double Claims::loss(std::int64_t row) const {
  return loss_.defined() ? loss_.const_data_ptr<double>()[row]
                         : std::numeric_limits<double>::quiet_NaN();
}

std::int64_t Claims::value_or(const at::Tensor& values, std::int64_t row, std::int64_t otherwise) {
  return values.defined() ? values.const_data_ptr<std::int64_t>()[row] : otherwise;
}

}  // namespace namid::eval
