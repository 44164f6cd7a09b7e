// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pt2_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

constexpr int kDeepest = 64;

}  // namespace

nlohmann::json parse_json_capped(std::string_view text, const std::string& where,
                                 const std::vector<std::string_view>& dropped) {
  using Event = nlohmann::json::parse_event_t;
  const auto keep = [&](int depth, Event event, const nlohmann::json& parsed) {
    if (depth > kDeepest) throw DataError(str(where, ": nests deeper than ", kDeepest, " levels"));
    if (event != Event::key) return true;
    const auto& key = parsed.get_ref<const std::string&>();
    return std::find(dropped.begin(), dropped.end(), key) == dropped.end();
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), keep);
  } catch (const nlohmann::json::exception&) {
    throw DataError(str(where, ": not valid JSON; the file is damaged: export it again"));
  }
}

void JsonView::fail(std::string_view message) const {
  throw DataError(str(where_, ": ", message));
}

bool JsonView::is_null() const {
  return value_->is_null() || value_->is_discarded();
}

std::optional<JsonView> JsonView::find(const char* key) const {
  if (!value_->is_object()) fail(str("expected an object with '", key, "'"));
  const auto found = value_->find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return JsonView(*found, str(where_, ".", key));
}

JsonView JsonView::operator[](const char* key) const {
  const auto found = find(key);
  if (!found) fail(str("expected '", key, "', which is missing"));
  return *found;
}

std::pair<std::string, JsonView> JsonView::only() const {
  if (!value_->is_object() || value_->size() != 1) fail("expected an object with one key");
  const auto member = value_->begin();
  return {member.key(), JsonView(*member, str(where_, ".", member.key()))};
}

std::vector<JsonView> JsonView::list() const {
  if (!value_->is_array()) fail("expected a list");
  std::vector<JsonView> views;
  views.reserve(value_->size());
  for (const auto& item : *value_) views.emplace_back(item, str(where_, "[", views.size(), "]"));
  return views;
}

std::vector<std::pair<std::string, JsonView>> JsonView::members() const {
  if (!value_->is_object()) fail("expected an object");
  std::vector<std::pair<std::string, JsonView>> views;
  for (const auto& [key, item] : value_->items())
    views.emplace_back(key, JsonView(item, str(where_, ".", key)));
  return views;
}

std::string JsonView::text() const {
  if (!value_->is_string()) fail("expected a text");
  return value_->get<std::string>();
}

bool JsonView::boolean() const {
  if (!value_->is_boolean()) fail("expected true or false");
  return value_->get<bool>();
}

std::int64_t JsonView::integer() const {
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!value_->is_number_integer() ||
      (value_->is_number_unsigned() && value_->get<std::uint64_t>() > kLargest))
    fail("expected a whole number");
  return value_->get<std::int64_t>();
}

double JsonView::number() const {
  if (value_->is_string()) {
    const auto word = value_->get<std::string>();
    if (word == "Infinity") return std::numeric_limits<double>::infinity();
    if (word == "-Infinity") return -std::numeric_limits<double>::infinity();
    if (word == "NaN") return std::numeric_limits<double>::quiet_NaN();
  }
  if (!value_->is_number()) fail("expected a number");
  return value_->get<double>();
}

}  // namespace namid::io
