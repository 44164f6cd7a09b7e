// SPDX-License-Identifier: Apache-2.0
//
// Weights that another program wrote: what a .pth file holds, without running its pickle, and the
// same weights as safetensors. Without an argument a file is made first.
//   example_convert_weights [IN.pth OUT.safetensors]
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "namid/models/inspect.h"
#include "namid/models/registry.h"
#include "namid/models/weight_file.h"

namespace {

std::filesystem::path make_sample(const std::filesystem::path& folder) {
  const auto network = namid::models::create({.model = "small_cnn", .width = 4}, {1, 28, 28}, 10);
  const auto path = folder / "sample.pth";
  namid::models::write_weight_file(path, network.state_dict());
  return path;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto folder = std::filesystem::temp_directory_path();
  const std::filesystem::path in = argc > 1 ? argv[1] : make_sample(folder);
  const std::filesystem::path out = argc > 2 ? argv[2] : folder / "sample.safetensors";

  const auto found = namid::models::inspect_file(in);
  for (const auto& tensor : found["tensors"])
    std::printf("%s %s %s\n", tensor["name"].get<std::string>().c_str(),
                tensor["dtype"].get<std::string>().c_str(), tensor["shape"].dump().c_str());
  const auto imports = found.value("imports", nlohmann::json::array());
  for (const auto& name : imports)
    std::printf("unpickling would import %s\n", name.get<std::string>().c_str());

  const auto weights = namid::models::read_weight_file(in);
  namid::models::write_weight_file(out, weights.tensors);
  const auto again = namid::models::read_weight_file(out);
  std::printf("%zu tensors written to %s\n", again.tensors.size(), out.c_str());
  return again.tensors.size() == weights.tensors.size() ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
