// SPDX-License-Identifier: Apache-2.0
#include "namid/core/option_set.h"

#include <algorithm>
#include <charconv>

namespace namid {

std::string OptionEntry::flag() const {
  std::string text = section.empty() ? "--" + key : "--" + section + "-" + key;
  std::replace(text.begin() + 2, text.end(), '_', '-');
  std::replace(text.begin() + 2, text.end(), '.', '-');
  return text;
}

void OptionSet::add_entry(OptionEntry entry) {
  for (const auto& known : entries_) {
    if (known.path() == entry.path())
      throw std::logic_error(str("option ", entry.path(), " is declared twice"));
  }
  entries_.push_back(std::move(entry));
}

const OptionEntry& OptionSet::find(std::string_view path) const {
  const OptionEntry* by_key = nullptr;
  int matches = 0;
  std::vector<std::string> names;
  for (const auto& entry : entries_) {
    if (entry.path() == path) return entry;
    if (entry.alone && entry.key == path) by_key = &entry, ++matches;
    names.push_back(entry.path());
  }
  if (matches == 1) return *by_key;
  if (matches > 1) {
    std::string where;
    for (const auto& entry : entries_)
      if (entry.alone && entry.key == path) where += (where.empty() ? "" : ", ") + entry.path();
    throw OptionError(str("option '", path, "' is ambiguous: use one of ", where));
  }
  const auto guess = nearest(path, names);
  throw OptionError(str("unknown option '", path, "'",
                        guess.empty() ? std::string() : "; did you mean '" + guess + "'?"));
}

void OptionSet::set(std::string_view path, std::string_view text) const {
  find(path).set_text(text);
}

std::string option_table_markdown(const OptionSet& set) {
  std::string out = "| option | type | default | meaning |\n|---|---|---|---|\n";
  for (const auto& entry : set.entries()) {
    std::string type = entry.type;
    if (!entry.choices.empty()) {
      type.clear();
      for (const auto& choice : entry.choices) type += (type.empty() ? "`" : ", `") + choice + "`";
    }
    if (!entry.range.empty()) type += ", " + entry.range;
    const auto shown = entry.default_text.empty() ? "" : "`" + entry.default_text + "`";
    out += str("| `", entry.flag(), "` | ", type, " | ", shown, " | ", entry.help, " |\n");
  }
  return out;
}

namespace detail {

std::string value_text(const OptionValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return shortest(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string out;
  for (const double item : std::get<std::vector<double>>(value))
    out += (out.empty() ? "" : ",") + shortest(item);
  return out;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    const auto comma = text.find(',');
    items.push_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  }
  return items;
}

std::int64_t parse_integer(std::string_view text, std::int64_t low, std::int64_t high) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw OptionError(str("expected a whole number, got '", text, "'"));
  if (value < low || value > high)
    throw OptionError(str("expected a whole number from ", low, " to ", high, ", got ", text));
  return value;
}

std::uint64_t parse_unsigned(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw OptionError(str("expected a whole number ≥ 0, got '", text, "'"));
  return value;
}

bool parse_bool(std::string_view text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  throw OptionError(str("expected true or false, got '", text, "'"));
}

void fail_choice(std::string_view text, const std::vector<std::string>& choices) {
  std::string list;
  for (const auto& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  const auto guess = nearest(text, choices);
  throw OptionError(str("expected one of ", list, "; got '", text, "'",
                        guess.empty() ? std::string() : " (did you mean '" + guess + "'?)"));
}

}  // namespace detail
}  // namespace namid
