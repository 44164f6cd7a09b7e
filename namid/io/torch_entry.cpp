// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/torch_file.h"

namespace namid::io {
namespace {

constexpr std::array kUsualKeys{"state_dict", "model_state_dict", "model",   "net", "network",
                                "module",     "params",           "weights", "ema"};

/// What lies at one level of the names.
struct Level {
  std::vector<std::string> keys;  ///< of what holds tensors, each once, in the file's order
  bool has_tensors = false;       ///< of its own
};

Level level_below(const TorchFile& file, const std::string& prefix) {
  Level level;
  std::set<std::string> seen;
  for (const auto& tensor : file.tensors()) {
    if (!tensor.name.starts_with(prefix)) continue;
    if (tensor.container <= prefix.size()) {
      level.has_tensors = true;
      continue;
    }
    const auto container = tensor.name.substr(prefix.size(), tensor.container - prefix.size());
    auto key = container.substr(0, container.find('.'));
    if (seen.insert(key).second) level.keys.push_back(std::move(key));
  }
  return level;
}

std::string list_text(const std::vector<std::string>& keys) {
  std::string text;
  for (std::size_t i = 0; i < keys.size() && i < 20; ++i) text += str(i == 0 ? "" : ", ", keys[i]);
  return keys.size() > 20 ? text + ", ..." : text;
}

}  // namespace

std::string state_dict_prefix(const TorchFile& file, const std::string& entry) {
  if (file.tensors().empty()) throw DataError(str(file.name(), ": holds no tensors"));
  if (entry == ".") return "";
  if (!entry.empty()) {
    const auto prefix = entry.ends_with('.') ? entry : entry + ".";
    for (const auto& tensor : file.tensors())
      if (tensor.name.starts_with(prefix)) return prefix;
    throw DataError(str(file.name(), ": no tensor lies below '", entry,
                        "'; there are: ", list_text(level_below(file, "").keys)));
  }
  std::string prefix;
  for (;;) {
    const auto [keys, has_tensors] = level_below(file, prefix);
    const auto usual =
        std::find_first_of(kUsualKeys.begin(), kUsualKeys.end(), keys.begin(), keys.end());
    if (usual == kUsualKeys.end() && (has_tensors || keys.empty())) return prefix;
    if (usual == kUsualKeys.end() && keys.size() > 1)
      throw DataError(str(file.name(), prefix.empty() ? "" : ": " + prefix, ": tensors lie below ",
                          list_text(keys), "; say which is the state dict: --entry ", prefix,
                          keys.front()));
    prefix += str(usual == kUsualKeys.end() ? keys.front() : std::string(*usual), ".");
  }
}

}  // namespace namid::io
