// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/run/run_folder.h"
#include "namid/run/stop_token.h"

namespace namid::train {

/// Where a stage of work reports and how it is stopped; shared by training and estimation.
struct Surroundings {
  const run::RunFolder& folder;
  const run::StopToken* stop = nullptr;
  bool resume = false;        ///< go on from the newest checkpoint of `folder`
  bool show_progress = true;  ///< on stderr
};

}  // namespace namid::train
