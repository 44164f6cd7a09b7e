// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pt2_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/text.h"

namespace namid::io {
namespace {

using nlohmann::json;

constexpr std::size_t kDeepest = 64;

/// Builds the document while it is parsed. The library's own builder with a callback looks through
/// all elements of a list whenever an object in it ends: quadratic in the length of hostile lists.
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(const std::string& where, const std::vector<std::string_view>& dropped, std::size_t most)
      : where_(where), dropped_(dropped), left_(most) {}

  json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return start(json::object()); }
  bool start_array(std::size_t /*size*/) override { return start(json::array()); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }

  bool key(string_t& name) override {
    if (dropping_ > 0) return true;
    drop_next_ = std::find(dropped_.begin(), dropped_.end(), name) != dropped_.end();
    if (drop_next_) return true;
    if (open_.back()->contains(name))
      throw DataError(str(where_, ": the key '", printable(name), "' is there twice"));
    key_ = std::move(name);
    return true;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const json::exception& /*error*/) override {
    throw DataError(str(where_, ": not valid JSON; the file is damaged: export it again"));
  }

 private:
  bool add(json value) {
    place(std::move(value));
    return true;
  }

  /// Where the value went; null for one that is left out.
  json* place(json value) {
    if (dropping_ > 0) return nullptr;
    if (std::exchange(drop_next_, false)) return nullptr;
    if (left_-- == 0)
      throw DataError(str(where_, ": more values than a file of this size may hold"));
    if (open_.empty()) return &(root_ = std::move(value));
    auto& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }

  bool start(json container) {
    if (++depth_ > kDeepest)
      throw DataError(str(where_, ": nests deeper than ", kDeepest, " levels"));
    if (auto* placed = place(std::move(container)))
      open_.push_back(placed);
    else
      ++dropping_;
    return true;
  }

  bool end() {
    --depth_;
    if (dropping_ > 0)
      --dropping_;
    else
      open_.pop_back();
    return true;
  }

  const std::string& where_;
  const std::vector<std::string_view>& dropped_;
  std::size_t left_;
  json root_;
  std::vector<json*> open_;  // stay valid: a container changes only while it is the last of them
  std::string key_;
  std::size_t depth_ = 0, dropping_ = 0;
  bool drop_next_ = false;
};

}  // namespace

json parse_json_capped(std::string_view text, const std::string& where,
                       const std::vector<std::string_view>& dropped, std::size_t max_values) {
  Builder builder(where, dropped, max_values);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
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

JsonList JsonView::list() const {
  if (!value_->is_array()) fail("expected a list");
  return {*value_, where_};
}

std::size_t JsonList::size() const {
  return value_->size();
}

JsonView JsonList::operator[](std::size_t index) const {
  return {(*value_)[index], str(where_, "[", index, "]")};
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
