// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "namid/run/tensor_file.h"

namespace namid::run {

/// State that must survive a kill: tensors (weights, buffers, optimiser state, averages) and a JSON
/// document (epoch, step, running sums, schedule position). One safetensors file; the JSON travels
/// in its metadata under "namid.state".
struct Checkpoint {
  TensorMap tensors;
  nlohmann::json state;
};

/// Writes `<folder>/<name>.safetensors` atomically; an interrupted save leaves the previous file.
void save_checkpoint(const std::filesystem::path& folder, const std::string& name,
                     const Checkpoint& checkpoint);

/// Reads and verifies one checkpoint; DataError if it is missing or damaged.
Checkpoint load_checkpoint(const std::filesystem::path& folder, const std::string& name);

/// The readable one of `names` with the highest state["step"]; nothing if none is there. A damaged
/// file is passed over with a warning.
std::optional<Checkpoint> load_newest_checkpoint(const std::filesystem::path& folder,
                                                 const std::vector<std::string>& names);

}  // namespace namid::run
