// SPDX-License-Identifier: Apache-2.0
#include "namid/train/checkpoints.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::train {
namespace {

constexpr auto kLast = "last";
constexpr auto kPrevious = "previous";
constexpr auto kNext = "next";

std::filesystem::path file(const std::filesystem::path& folder, const std::string& name) {
  return folder / (name + ".safetensors");
}

}  // namespace

// The new state is on disk before an older one goes: `last` may be the damaged one of the two.
void Checkpoints::save(const run::Checkpoint& checkpoint) const {
  run::save_checkpoint(folder_, kNext, checkpoint);
  const auto rename = [&](const char* from, const char* to) {
    std::error_code error;
    std::filesystem::rename(file(folder_, from), file(folder_, to), error);
    if (error) throw ResourceError(str(folder_.string(), ": cannot rename: ", error.message()));
  };
  if (std::filesystem::exists(file(folder_, kLast))) rename(kLast, kPrevious);
  rename(kNext, kLast);
}

std::optional<run::Checkpoint> Checkpoints::load() const {
  return run::load_newest_checkpoint(folder_, {kNext, kLast, kPrevious});
}

std::string Checkpoints::kept() const {
  const auto newest = load();
  if (!newest) return "there is no checkpoint yet";
  return str("the state after step ", newest->state.at("step").get<std::int64_t>(), " is kept in ",
             folder_.string());
}

}  // namespace namid::train
