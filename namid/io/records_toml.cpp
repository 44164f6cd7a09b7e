// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "namid/io/option_literal.h"
#include "namid/io/records.h"
#include "namid/io/toml_library.h"

namespace namid::io {
namespace {

std::string quoted(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (code < 0x20 || code == 0x7f)
      out += str("\\u00", kHex[code >> 4], kHex[code & 15]);
    else
      out += c;
  }
  return out + "\"";
}

std::string value_toml(const OptionEntry& entry) {
  const auto value = entry.get();
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  if (std::holds_alternative<std::vector<double>>(value)) return "[" + entry.text() + "]";
  return entry.text();
}

std::string comment(const OptionEntry& entry) {
  std::string text = entry.help;
  for (const auto& choice : entry.choices)
    text += (&choice == &entry.choices.front() ? ": " : ", ") + choice;
  if (!entry.range.empty()) text += " (" + entry.range + ")";
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.empty() ? "" : "# " + text + "\n";
}

Literal literal_of(const toml::node& node) {
  using Kind = Literal::Kind;
  if (const auto* value = node.as_boolean())
    return {Kind::boolean, value->get() ? "true" : "false"};
  if (const auto* value = node.as_integer()) return {Kind::integer, std::to_string(value->get())};
  if (const auto* value = node.as_floating_point()) return {Kind::number, shortest(value->get())};
  if (const auto* value = node.as_string()) return {Kind::text, value->get()};
  if (!node.is_array()) return {};
  ListLiteral list;
  for (const auto& item : *node.as_array()) list.add(literal_of(item));
  return list.take();
}

std::string place(const std::string& name, const toml::source_region& source) {
  return str(name, ":", source.begin.line, ": ");
}

void apply_table(const OptionSet& options, const toml::table& table, const std::string& section,
                 const std::string& name) {
  for (const auto& [key, node] : table) {
    const std::string word(key.str());
    const auto path = section.empty() ? word : section + "." + word;
    try {
      if (node.is_table())
        check_section(options, path);
      else
        assign(exact_entry(options, path), literal_of(node));
    } catch (const OptionError& error) {
      throw OptionError(place(name, key.source()) + error.what());
    }
    if (const auto* inner = node.as_table()) apply_table(options, *inner, path, name);
  }
}

toml::table parse(std::string_view text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw OptionError(place(name, error.source()) + std::string(error.description()));
  }
}

}  // namespace

std::string to_toml(const OptionSet& options) {
  std::vector<std::string> sections{""};  // keys without a section must come first
  for (const auto& entry : options.entries())
    if (std::find(sections.begin(), sections.end(), entry.section) == sections.end())
      sections.push_back(entry.section);
  std::string out;
  for (const auto& section : sections) {
    if (!section.empty()) out += str(out.empty() ? "" : "\n", "[", section, "]\n");
    for (const auto& entry : options.entries())
      if (entry.section == section)
        out += str(comment(entry), entry.key, " = ", value_toml(entry), "\n");
  }
  return out;
}

void apply_toml(const OptionSet& options, std::string_view text, const std::string& name) {
  apply_table(options, parse(text, name), "", name);
}

std::optional<std::string> find_in_toml(std::string_view text, std::string_view path,
                                        const std::string& name) {
  const auto table = parse(text, name);
  const auto node = table.at_path(path);
  if (!node) return std::nullopt;
  return literal_of(*node.node()).text;
}

}  // namespace namid::io
