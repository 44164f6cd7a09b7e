// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/stages.h"

#include "namid/core/log.h"

namespace namid::app {

json run_child(RunCommand& command, const run::RunFolder& parent, const std::string& name) {
  const auto path = parent / name;
  if (!std::filesystem::exists(path / "run.json")) {
    if (command.show_progress) log_info(parent.path().filename().string(), ": ", name);
    return run_stage(command, parent.create_child(name), false);
  }
  const auto folder = run::RunFolder::open(path);
  const auto record = folder.read_record();
  if (record.value("status", "") == "done") return record.at("result");
  // A stage killed before its options were written starts anew.
  return run_stage(command, folder, std::filesystem::exists(path / "config.toml"));
}

}  // namespace namid::app
