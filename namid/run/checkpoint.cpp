// SPDX-License-Identifier: Apache-2.0
#include "namid/run/checkpoint.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"

namespace namid::run {
namespace {

constexpr auto kState = "namid.state";

std::filesystem::path file_of(const std::filesystem::path& folder, const std::string& name) {
  return folder / (name + ".safetensors");
}

std::int64_t step_of(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  const auto step = checkpoint.state.find("step");
  if (step == checkpoint.state.end() || !step->is_number_integer())
    throw DataError(str(path.string(), ": the state has no whole number 'step'"));
  return step->get<std::int64_t>();
}

}  // namespace

void save_checkpoint(const std::filesystem::path& folder, const std::string& name,
                     const Checkpoint& checkpoint) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw ResourceError(str(folder.string(), ": cannot be created: ", error.message()));
  write_tensor_file(file_of(folder, name), checkpoint.tensors, {{kState, checkpoint.state.dump()}});
}

Checkpoint load_checkpoint(const std::filesystem::path& folder, const std::string& name) {
  const auto path = file_of(folder, name);
  auto file = read_tensor_file(path);
  const auto text = file.metadata.find(kState);
  if (text == file.metadata.end())
    throw DataError(str(path.string(), ": no ", kState, " in its metadata; this is no checkpoint"));
  auto state = nlohmann::json::parse(text->second, nullptr, false);
  if (state.is_discarded()) throw DataError(str(path.string(), ": ", kState, " is not valid JSON"));
  return {std::move(file.tensors), std::move(state)};
}

std::optional<Checkpoint> load_newest_checkpoint(const std::filesystem::path& folder,
                                                 const std::vector<std::string>& names) {
  std::optional<Checkpoint> newest;
  std::int64_t newest_step = 0;
  for (const auto& name : names) {
    const auto path = file_of(folder, name);
    if (!std::filesystem::exists(path)) continue;
    try {
      auto checkpoint = load_checkpoint(folder, name);
      const auto step = step_of(checkpoint, path);
      if (newest && step <= newest_step) continue;
      newest = std::move(checkpoint);
      newest_step = step;
    } catch (const DataError& error) {
      log_warning("checkpoint passed over: ", error.what());
    }
  }
  return newest;
}

}  // namespace namid::run
