// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/precision.h"

#include <nlohmann/json.hpp>

#include "namid/core/format.h"
#include "namid/core/log.h"

namespace namid::app {

eval::PrecisionTaken take_precision(eval::Precision asked, const eval::PrecisionBench& bench,
                                    const std::string& what) {
  auto taken = eval::take_precision(asked, bench);
  std::string times;
  if (taken.times)
    times = str(", a batch takes ", fixed(taken.times->float32_ms, 2), " ms in float32, ",
                fixed(taken.times->bfloat16_ms, 2), " ms in bfloat16");
  if (asked != eval::Precision::float32)
    log_info("precision: ", what, " is attacked in ", taken.bfloat16 ? "bfloat16" : "float32",
             times);
  return taken;
}

eval::PrecisionTaken precision_of_run(eval::Precision asked, const run::RunFolder& folder,
                                      bool resume, const eval::PrecisionBench& bench) {
  if (asked == eval::Precision::float32) return {};
  if (resume)
    if (const auto record = folder.read_record(); record.contains("precision"))
      return eval::precision_taken(record["precision"]);
  auto taken = take_precision(asked, bench, "the model");
  folder.update_record({{"precision", eval::to_json(taken)}});
  return taken;
}

}  // namespace namid::app
