// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/vnnlib.h"

#include "namid/core/format.h"

namespace namid::certify {

std::string vnnlib(const at::Tensor& lower, const at::Tensor& upper, std::int64_t label,
                   std::int64_t classes, const std::string& comment) {
  const auto low = lower.to(at::kDouble).flatten().contiguous();
  const auto high = upper.to(at::kDouble).flatten().contiguous();
  std::string text = str("; ", comment, "\n");
  for (std::int64_t i = 0; i < low.numel(); ++i) text += str("(declare-const X_", i, " Real)\n");
  for (std::int64_t t = 0; t < classes; ++t) text += str("(declare-const Y_", t, " Real)\n");
  // Plain decimals: not every reader knows exponents.
  const auto bound = [&](const char* sign, std::int64_t i, double value) {
    return str("(assert (", sign, " X_", i, " ", fixed(value, 18), "))\n");
  };
  for (std::int64_t i = 0; i < low.numel(); ++i)
    text += bound(">=", i, low.const_data_ptr<double>()[i]) +
            bound("<=", i, high.const_data_ptr<double>()[i]);
  text += "(assert (or\n";
  for (std::int64_t t = 0; t < classes; ++t)
    if (t != label) text += str("  (and (>= Y_", t, " Y_", label, "))\n");
  return text + "))\n";
}

}  // namespace namid::certify
