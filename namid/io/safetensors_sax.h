// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace namid::io {

/// One tensor as the JSON header has it, before anything is checked against the file.
struct HeaderEntry {
  std::string name, dtype;
  std::vector<std::int64_t> shape;  ///< at most 64 extents, each ≥ 0
  std::uint64_t begin = 0, end = 0;
};

/// Reads the JSON of a safetensors header while parsing, without a document in memory, and fills
/// `metadata`. Keys used twice, missing or unknown, values of another type and deeper nesting are
/// refused with a DataError.
std::vector<HeaderEntry> parse_header_json(std::string_view json, const std::string& file,
                                           std::map<std::string, std::string>& metadata);

}  // namespace namid::io
