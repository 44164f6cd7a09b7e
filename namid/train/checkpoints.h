// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "namid/run/checkpoint.h"

namespace namid::train {

/// The two newest checkpoints of a run, `last` and `previous`: a damaged newest one never loses
/// everything, and a kill at any moment leaves at least one of them whole.
class Checkpoints {
 public:
  /// `run`: the run folder.
  explicit Checkpoints(const std::filesystem::path& run) : folder_(run / "checkpoints") {}

  void save(const run::Checkpoint& checkpoint) const;
  /// The newest readable one.
  std::optional<run::Checkpoint> load() const;
  /// For error messages: where a run can go on from.
  std::string kept() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace namid::train
