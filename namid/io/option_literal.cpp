// SPDX-License-Identifier: Apache-2.0
#include "namid/io/option_literal.h"

namespace namid::io {
namespace {

bool fits(const std::string& type, Literal::Kind kind) {
  using Kind = Literal::Kind;
  if (type == "bool") return kind == Kind::boolean;
  if (type == "int") return kind == Kind::integer || kind == Kind::text;
  if (type == "number") return kind == Kind::integer || kind == Kind::number || kind == Kind::text;
  if (type == "list") return kind == Kind::list;
  return kind == Kind::text;
}

std::string_view expected(const std::string& type) {
  if (type == "bool") return "true or false";
  if (type == "int") return "a whole number";
  if (type == "number") return "a number";
  if (type == "list") return "a list of numbers";
  return "a text in quotes";
}

}  // namespace

void ListLiteral::add(const Literal& item) {
  using Kind = Literal::Kind;
  const bool plain =
      item.kind == Kind::integer || item.kind == Kind::number || item.kind == Kind::text;
  valid_ &= plain && !item.text.empty() && item.text.find(',') == std::string::npos;
  text_ += str(first_ ? "" : ",", item.text);
  first_ = false;
}

void assign(const OptionEntry& entry, const Literal& literal) {
  if (!fits(entry.type, literal.kind))
    throw OptionError(str("[", entry.section.empty() ? "options" : entry.section, "] ", entry.key,
                          ": expected ", expected(entry.type),
                          literal.text.empty() ? "" : ", got " + literal.text));
  entry.set_text(literal.text);
}

const OptionEntry& exact_entry(const OptionSet& options, const std::string& path) {
  const auto& entry = options.find(path);
  if (entry.path() != path)  // `find` also takes a key without its section
    throw OptionError(str("unknown option '", path, "'; did you mean '", entry.path(), "'?"));
  return entry;
}

void check_section(const OptionSet& options, const std::string& section) {
  std::vector<std::string> names;
  for (const auto& entry : options.entries()) {
    if (entry.section == section || entry.section.starts_with(section + ".")) return;
    names.push_back(entry.section);
  }
  const auto guess = nearest(section, names);
  throw OptionError(str("unknown section '", section, "'",
                        guess.empty() ? std::string() : "; did you mean '" + guess + "'?"));
}

}  // namespace namid::io
