// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "namid/run/tensor_file.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::testing {

/// A case of one training step, as reference_step.py reads it.
struct StepCase {
  std::string name;
  TensorMap tensors;
  std::map<std::string, std::string> options;
};

/// Writes the cases and lets the Python script `script` (below tests/) recompute and compare them,
/// in one process: its start takes longer than a case. The script's lines, with the deviations, are
/// printed.
inline void check_steps(const std::string& script, const std::vector<StepCase>& cases) {
  const TempFolder folder;
  auto command = std::string("PYTHONDONTWRITEBYTECODE=1 ") + NAMID_PYTHON + " " + NAMID_SOURCE_DIR +
                 "/tests/" + script;
  for (const auto& [name, tensors, options] : cases) {
    const auto file = folder / (name + ".safetensors");
    TensorMap plain;
    for (const auto& [key, tensor] : tensors)
      plain.emplace_back(key, tensor.detach().cpu().contiguous());
    run::write_tensor_file(file, plain, options);
    command += " " + file.string();
  }
  const auto result = run_command(command);
  std::printf("%s", result.text.c_str());
  EXPECT_EQ(result.code, 0) << script;
}
inline void check_step(const std::string& script, const TensorMap& tensors,
                       const std::map<std::string, std::string>& options) {
  check_steps(script, {{"case", tensors, options}});
}

/// Adds every tensor of `state` under "<prefix>.", copied: what follows does not change it.
inline void keep(TensorMap& to, const std::string& prefix, const TensorMap& state) {
  for (const auto& [name, tensor] : state)
    to.emplace_back(prefix + "." + name, tensor.detach().clone());
}

}  // namespace namid::testing
