// SPDX-License-Identifier: Apache-2.0
#include "namid/io/records.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "namid/io/option_literal.h"

namespace namid::io {
namespace {

using nlohmann::json;

// Whole numbers of a list are written as such: an option's list does not know its element type.
json list_json(const std::vector<double>& items) {
  json list = json::array();
  for (const double item : items) {
    if (item == std::floor(item) && std::abs(item) < 9e15)
      list.push_back(static_cast<std::int64_t>(item));
    else
      list.push_back(item);
  }
  return list;
}

json value_json(const OptionValue& value) {
  if (const auto* list = std::get_if<std::vector<double>>(&value)) return list_json(*list);
  return std::visit(
      [](const auto& item) -> json {
        if constexpr (std::is_same_v<std::decay_t<decltype(item)>, std::vector<double>>)
          return nullptr;
        else
          return item;
      },
      value);
}

std::string section_path(const std::string& section) {
  std::string pointer;
  for (const char c : section) pointer += c == '.' ? '/' : c;
  return section.empty() ? "" : "/" + pointer;
}

Literal literal_of(const json& value) {
  using Kind = Literal::Kind;
  if (value.is_boolean()) return {Kind::boolean, value.dump()};
  if (value.is_number_integer()) return {Kind::integer, value.dump()};
  if (value.is_number_float()) return {Kind::number, shortest(value.get<double>())};
  if (value.is_string()) return {Kind::text, value.get<std::string>()};
  if (!value.is_array()) return {};
  ListLiteral list;
  for (const auto& item : value) list.add(literal_of(item));
  return list.take();
}

void apply_object(const OptionSet& options, const json& object, const std::string& section) {
  for (const auto& [key, value] : object.items()) {
    const auto path = section.empty() ? key : section + "." + key;
    if (value.is_object()) {
      check_section(options, path);
      apply_object(options, value, path);
    } else {
      assign(exact_entry(options, path), literal_of(value));
    }
  }
}

}  // namespace

json to_json(const OptionSet& options) {
  json record = json::object();
  for (const auto& entry : options.entries())
    record[json::json_pointer(section_path(entry.section) + "/" + entry.key)] =
        value_json(entry.get());
  return record;
}

void apply_json(const OptionSet& options, const json& record, const std::string& name) {
  try {
    if (!record.is_object()) throw OptionError("expected an object of options");
    apply_object(options, record, "");
  } catch (const OptionError& error) {
    throw OptionError(str(name, ": ", error.what()));
  }
}

}  // namespace namid::io
