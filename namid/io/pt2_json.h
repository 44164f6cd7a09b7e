// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace namid::io {

/// How many values the JSON of an archive of that size may hold: so many that they, at about 100
/// bytes each, take no more memory than the archive and 12 MB. A graph has one for each 25 bytes.
constexpr std::size_t json_value_cap(std::uint64_t archive_bytes) {
  return 100'000 + static_cast<std::size_t>(archive_bytes / 128);
}

/// The text as a document; the keys in `dropped` are left out with all that is under them.
/// DataError for text that is no JSON, nests deeper than 64, has a key twice in one object or more
/// than `max_values` values.
nlohmann::json parse_json_capped(std::string_view text, const std::string& where,
                                 const std::vector<std::string_view>& dropped,
                                 std::size_t max_values);

class JsonList;

/// A place in a JSON document. Every access checks the type; a wrong one is a DataError that names
/// the place: "net.pt2[net/models/model.json]: graph_module.graph.nodes[3].target: expected a
/// text".
class JsonView {
 public:
  JsonView(const nlohmann::json& value, std::string where)
      : value_(&value), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  JsonView operator[](const char* key) const;           ///< a member that must be there
  std::optional<JsonView> find(const char* key) const;  ///< absent or null: none
  std::pair<std::string, JsonView> only() const;        ///< a union: the one member of an object
  JsonList list() const;
  std::string text() const;
  bool boolean() const;
  std::int64_t integer() const;
  double number() const;  ///< also "Infinity", "-Infinity" and "NaN"
  bool is_null() const;
  [[noreturn]] void fail(std::string_view message) const;

 private:
  const nlohmann::json* value_;
  std::string where_;
};

/// The elements of a list, made one at a time: a hostile list may be long.
class JsonList {
 public:
  class Iterator {
   public:
    Iterator(const JsonList& list, std::size_t index) : list_(&list), index_(index) {}
    JsonView operator*() const { return (*list_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const JsonList* list_;
    std::size_t index_;
  };

  JsonList(const nlohmann::json& value, std::string where)
      : value_(&value), where_(std::move(where)) {}
  std::size_t size() const;
  JsonView operator[](std::size_t index) const;
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  const nlohmann::json* value_;
  std::string where_;
};

}  // namespace namid::io
