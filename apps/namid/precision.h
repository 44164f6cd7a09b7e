// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/core/options.h"
#include "namid/eval/precision.h"
#include "namid/run/run_folder.h"

namespace namid::app {

/// In what the attacks of evaluate, attack and transfer are computed.
struct PrecisionOptions {
  eval::Precision precision = eval::Precision::float32;
  static constexpr auto fields() {
    return std::tuple{
        field("precision", &PrecisionOptions::precision,
              "of the attacks' passes: float32 (ledgers equal to the bit on every run), bfloat16, "
              "or auto: both are timed at the start, the faster is taken and recorded; verdicts "
              "are float32 always, survivors near the boundary are attacked again in float32 "
              "(transfer attacks: not)")};
  }
};
NAMID_CHECK_FIELDS(PrecisionOptions);

/// The decision of a run that goes on is that of its record ("precision"), however the machine is
/// loaded now; a new one is taken, said in the log and kept in the record.
eval::PrecisionTaken precision_of_run(eval::Precision asked, const run::RunFolder& folder,
                                      bool resume, const eval::PrecisionBench& bench);

/// take_precision, said in the log; `what` is attacked.
eval::PrecisionTaken take_precision(eval::Precision asked, const eval::PrecisionBench& bench,
                                    const std::string& what);

}  // namespace namid::app
