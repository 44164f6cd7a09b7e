// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "apps/namid/command.h"

namespace namid::app {

/// Runs `command` as the stage `name` of a run that is made of several, in a run folder inside
/// `parent`, and returns its result. A stage that is done is not run again, one that was
/// interrupted goes on.
json run_child(RunCommand& command, const run::RunFolder& parent, const std::string& name);

/// Whether there is a run in this folder that came to its end.
bool is_done(const std::filesystem::path& stage);

}  // namespace namid::app
