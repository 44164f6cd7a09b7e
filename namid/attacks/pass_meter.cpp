// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/pass_meter.h"

#include "namid/attacks/norms.h"
#include "namid/core/error.h"

namespace namid::attacks {

void PassMeter::count(std::int64_t forwards, std::int64_t backwards) {
  const auto add = [&](Passes& passes) {
    passes.forwards += forwards;
    passes.backwards += backwards;
  };
  add(passes_);
  if (context_.passes) add(*context_.passes);
}

void PassMeter::check_finite(const char* what, const at::Tensor& rows, std::int64_t step) {
  // A float64 sum of finite float32 values is finite, and takes one pass without temporaries.
  auto bad = at::isfinite(rows.sum(sample_dims(rows), false, at::kDouble)).logical_not_();
  auto text = str(what, " at step ", step);
  if (bad.is_cpu()) {
    report(text, bad);
  } else {
    deferred_.emplace_back(std::move(text), std::move(bad));
  }
}

void PassMeter::report(const std::string& what, const at::Tensor& bad_rows) const {
  const auto count = bad_rows.sum().item<std::int64_t>();
  if (count)
    throw NumericError(str("[", where_, "] ", what, ": not finite for ", count, " of ",
                           bad_rows.size(0), " samples"));
}

Passes PassMeter::finish() {
  for (const auto& [what, bad_rows] : deferred_) report(what, bad_rows);
  deferred_.clear();
  return passes_;
}

}  // namespace namid::attacks
