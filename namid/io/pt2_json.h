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

/// The text as a document; the keys in `dropped` are left out with all that is under them.
/// DataError for text that is no JSON or nests deeper than 64.
nlohmann::json parse_json_capped(std::string_view text, const std::string& where,
                                 const std::vector<std::string_view>& dropped);

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
  std::vector<JsonView> list() const;
  std::vector<std::pair<std::string, JsonView>> members() const;
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

}  // namespace namid::io
