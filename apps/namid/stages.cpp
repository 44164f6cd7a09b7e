// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/stages.h"

#include "namid/core/log.h"

namespace namid::app {

json run_child(RunCommand& command, const run::RunFolder& parent, const std::string& name) {
  const auto path = parent / name;
  if (!std::filesystem::exists(path / "run.json")) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);  // an empty one, of a kill before its record
    if (command.show_progress) log_info(parent.path().filename().string(), ": ", name);
    return run_stage(command, parent.create_child(name), false);
  }
  const auto folder = run::RunFolder::open(path);
  const auto record = folder.read_record();
  if (record.value("status", "") == "done") return record.at("result");
  // A stage killed before its options were written starts anew.
  return run_stage(command, folder, std::filesystem::exists(path / "config.toml"));
}

bool is_done(const std::filesystem::path& stage) {
  return std::filesystem::exists(stage / "run.json") &&
         run::RunFolder::open(stage).read_record().value("status", "") == "done";
}

}  // namespace namid::app
