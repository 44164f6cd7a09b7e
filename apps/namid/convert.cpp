// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "apps/namid/command.h"
#include "apps/namid/flags.h"
#include "apps/namid/inputs.h"
#include "namid/core/format.h"
#include "namid/io/sha256.h"
#include "namid/models/weight_file.h"

namespace namid::app {
namespace {

struct Conversion {
  std::string from, to, entry;
  bool force = false, as_json = false;
};

json convert(const Conversion& given) {
  models::check_weight_path(given.to);
  if (!given.force && std::filesystem::exists(given.to))
    throw OptionError(str(given.to, ": is there already; --force replaces it"));
  const auto file = models::read_weight_file(
      resolve_input(given.from, "model.safetensors", "model"), given.entry);
  models::write_weight_file(given.to, file.tensors, file.metadata);
  return {{"from", given.from},
          {"to", given.to},
          {"format", to_string(file.format)},
          {"entry", file.entry},
          {"tensors", file.tensors.size()},
          {"unverified", file.unverified},
          {"metadata_lost",
           !file.metadata.empty() && std::filesystem::path(given.to).extension() != ".safetensors"},
          {"sha256", io::sha256_file(given.to)}};
}

std::string summary(const json& done) {
  const auto unverified = done["unverified"].get<std::int64_t>();
  const auto entry = done["entry"].get<std::string>();
  std::string text = str(done["to"].get<std::string>(), ": ", done["tensors"].get<std::int64_t>(),
                         " tensors", entry.empty() ? "" : " from below " + entry, ", sha256 ",
                         done["sha256"].get<std::string>(), "\n");
  if (unverified > 0)
    text += str("unverified: ", unverified, " tensors had no checksum in ",
                done["from"].get<std::string>(), "\n");
  if (done["metadata_lost"].get<bool>())
    text += "note: the metadata were left behind, a .pth file has no place for them\n";
  return text;
}

}  // namespace

void add_convert(CLI::App& app) {
  auto state = std::make_shared<Conversion>();
  auto* sub =
      app.add_subcommand("convert", "weights from one format to another, by the extension of OUT");
  sub->allow_extras();
  sub->add_option("IN", state->from, ".pth, .pt, .safetensors, .npz or a run folder")->required();
  sub->add_option("OUT", state->to, ".safetensors, .pth, .pt or .bin")->required();
  sub->add_option("--entry", state->entry,
                  "state dict inside a .pth file; empty: found by itself, .: all tensors");
  sub->add_flag("--force", state->force, "replace OUT if it is there");
  sub->add_flag("--json", state->as_json, "print one JSON document on stdout");
  sub->callback([state, sub] {
    refuse_extras(*sub);
    const auto done = convert(*state);
    std::fputs(state->as_json ? (done.dump(2) + "\n").c_str() : summary(done).c_str(), stdout);
  });
}

}  // namespace namid::app
