// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// Counts the passes of one run of an attack and refuses values that are not finite.
class PassMeter {
 public:
  /// `where` names the attack in messages. context.passes, if given, is counted up too; `context`
  /// must outlive the meter.
  PassMeter(std::string_view where, const Context& context) : where_(where), context_(context) {}

  void count(std::int64_t forwards, std::int64_t backwards);
  /// NumericError, naming `what`, `step` and the number of samples, where rows (N, ...) of float32
  /// hold NaN or infinity: found at once on the CPU, by `finish` on other devices, which are not
  /// stalled at each step.
  void check_finite(const char* what, const at::Tensor& rows, std::int64_t step);
  /// Throws what was deferred; returns the passes counted.
  Passes finish();

 private:
  void report(const std::string& what, const at::Tensor& bad_rows) const;

  std::string where_;
  const Context& context_;
  Passes passes_;
  std::vector<std::pair<std::string, at::Tensor>> deferred_;
};

}  // namespace namid::attacks
