// SPDX-License-Identifier: Apache-2.0
#include "namid/models/inspect.h"

#include <cstdio>

#include "apps/namid/command.h"
#include "apps/namid/flags.h"
#include "apps/namid/inputs.h"
#include "namid/core/format.h"

namespace namid::app {
namespace {

std::string shape_text(const json& shape) {
  std::string text;
  for (const auto& extent : shape)
    text += str(text.empty() ? "" : ", ", extent.get<std::int64_t>());
  return "(" + text + ")";
}

/// "F32 (batch, 3, 32, 32)": dynamic extents are called by their place.
std::string port_text(const json& port) {
  std::string text;
  for (const auto& extent : port["shape"])
    text += str(text.empty() ? "" : ", ",
                extent.is_null() ? (text.empty() ? "batch" : "any") : extent.dump());
  return str(port["dtype"].get<std::string>(), " (", text, ")");
}

std::string tensor_line(const json& tensor) {
  auto line = str("  ", tensor["name"].get<std::string>(), "  ", tensor["dtype"].get<std::string>(),
                  " ", shape_text(tensor["shape"]));
  if (tensor.contains("role")) line += " " + tensor["role"].get<std::string>();
  if (!tensor.contains("strides")) return line + "\n";
  if (tensor.contains("storage")) line += " of storage " + tensor["storage"].get<std::string>();
  return str(line, ", strides ", shape_text(tensor["strides"]), ", offset ",
             tensor["offset"].get<std::int64_t>(), "\n");
}

/// The lines of `rows`, at most `most` of them.
std::string table(const json& rows, std::size_t most, std::string (*line)(const json&)) {
  std::string text;
  for (std::size_t i = 0; i < rows.size() && i < most; ++i) text += line(rows[i]);
  if (rows.size() > most) text += str("  and ", rows.size() - most, " more (--rows N, --json)\n");
  return text;
}

std::string checksum_line(const json& found, const char* what) {
  const auto unverified = found.value("unverified", std::int64_t{0});
  const auto checksum = found.value("checksum", "none");
  if (checksum == "none") return "checksums: none in this format, damage would not be noticed\n";
  if (unverified == 0) return str("checksums: ", checksum, ", all right\n");
  return str("checksums: ", checksum, ", left out (0) for ", unverified, " ", what, "\n");
}

std::string pickle_lines(const json& found, std::size_t rows) {
  std::string text;
  if (!found["objects"].empty())
    text += str("objects, none of them made:\n", table(found["objects"], rows, [](const json& row) {
                  return str("  ", row["name"].get<std::string>(), "  ",
                             row["text"].get<std::string>(), "\n");
                }));
  if (!found["imports"].empty()) {
    text += "unpickling would import:";
    for (const auto& name : found["imports"]) text += " " + name.get<std::string>();
    text += "\n";
  }
  if (found.contains("entry_problem"))
    return text + str("state dict: ", found["entry_problem"].get<std::string>(), "\n");
  const auto entry = found["entry"].get<std::string>();
  return text +
         (entry.empty() ? "state dict: the whole file\n" : str("state dict: below ", entry, "\n"));
}

std::string member_lines(const json& found, std::size_t rows) {
  return str(found["members"].size(), " members\n",
             table(found["members"], rows,
                   [](const json& row) {
                     return str("  ", row["name"].get<std::string>(), "  ",
                                row["bytes"].get<std::int64_t>(), " bytes\n");
                   }),
             checksum_line(found, "members"));
}

std::string program_lines(const json& found) {
  std::string operators;
  for (const auto& [name, count] : found["operators"].items()) {
    constexpr std::string_view kCommon = "torch.ops.";
    const auto from = name.starts_with(kCommon) ? kCommon.size() : 0;
    operators += str(operators.empty() ? "" : ", ", name.substr(from), " x ", count.get<int>());
  }
  const auto note = found["note"].dump();
  return str("takes ", port_text(found["input"]), ", gives ", port_text(found["output"]),
             ", written by torch ", found["torch"].get<std::string>(), "\noperators: ", operators,
             "\ngraph sha256 ", found["graph_sha256"].get<std::string>(),
             "\nnote of the export: ", note == R"("")" ? "none" : note.substr(0, 400), "\n");
}

std::string summary(const json& found, std::size_t rows) {
  std::string text = str(found["file"].get<std::string>(), ": ", found["format"].get<std::string>(),
                         ", ", found["bytes"].get<std::int64_t>(), " bytes, sha256 ",
                         found["sha256"].get<std::string>(), "\n");
  if (found.contains("program_problem"))
    text += str("namid cannot run it: ", found["program_problem"].get<std::string>(), "\n");
  if (!found.contains("tensors")) return text + member_lines(found, rows);
  text += str(found["tensors"].size(), " tensors, ", found["elements"].get<std::int64_t>(),
              " elements\n", table(found["tensors"], rows, tensor_line));
  if (found.contains("objects")) text += pickle_lines(found, rows);
  if (found.contains("operators"))
    return text + program_lines(found) + checksum_line(found, "members");
  const auto metadata = found.value("metadata", json::object());  // items() must not outlive it
  for (const auto& [key, value] : metadata.items())
    text += str("metadata ", key, ": ", value.get<std::string>().substr(0, 200), "\n");
  return text + checksum_line(found, "tensors");
}

}  // namespace

void add_inspect(CLI::App& app) {
  struct State {
    std::string file;
    std::size_t rows = 200;
    bool as_json = false;
  };
  auto state = std::make_shared<State>();
  auto* sub =
      app.add_subcommand("inspect", "what a weight or data file holds; nothing in it is executed");
  sub->allow_extras();
  sub->add_option("FILE", state->file, ".pth, .pt, .safetensors, .npz, .pt2 or a run folder")
      ->required();
  sub->add_option("--rows", state->rows, "tensors and objects that are listed")
      ->capture_default_str();
  sub->add_flag("--json", state->as_json, "print one JSON document on stdout");
  sub->callback([state, sub] {
    refuse_extras(*sub);
    const auto found =
        models::inspect_file(resolve_input(state->file, "model.safetensors", "model"));
    std::fputs(
        state->as_json ? (found.dump(2) + "\n").c_str() : summary(found, state->rows).c_str(),
        stdout);
  });
}

}  // namespace namid::app
