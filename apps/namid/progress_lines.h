// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "namid/core/progress.h"

namespace namid::app {

/// A function of (stage, done, total) that shows one progress line per stage.
inline auto progress_lines(bool show) {
  return [mode = show ? ProgressMode::automatic : ProgressMode::none, shown = std::string(),
          line = std::shared_ptr<Progress>()](const std::string& stage, std::int64_t done,
                                              std::int64_t total) mutable {
    if (stage != shown) {
      line.reset();  // ends the line before the next begins
      line = std::make_shared<Progress>(stage, total, mode);
      shown = stage;
    }
    line->update(done);
  };
}

}  // namespace namid::app
