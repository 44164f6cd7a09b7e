// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "namid/io/bytes.h"

namespace namid::io {

/// An array of texts, as numpy makes of Python's `str` and `bytes`.
struct NpyText {
  std::vector<std::int64_t> shape;  ///< empty: one text
  std::vector<std::string> values;  ///< in C order; UTF-8, `bytes` as they are
};

/// One text, without dimensions: numpy's `array("linf")`.
NpyText npy_text(std::string_view text);

/// Parses an .npy file of dtype U (UCS-4, either byte order) or S (bytes), in C order or with at
/// most one dimension. Numpy pads with NUL: trailing ones are dropped. DataError for other types,
/// code points that are none, more than `max_bytes`, and data that are too short or too long.
NpyText parse_npy_text(ByteSpan bytes, const std::string& name,
                       std::uint64_t max_bytes = kMaxBytes);

/// The .npy file (version 1.0, little-endian UCS-4, as long as the longest text). DataError for
/// text that is not UTF-8.
Bytes encode_npy_text(const NpyText& text);

}  // namespace namid::io
