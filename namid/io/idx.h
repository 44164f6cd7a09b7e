// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "namid/io/bytes.h"

namespace namid::io {

/// An IDX file of unsigned bytes (MNIST's format): type 0x08, sizes big-endian, row-major.
struct IdxArray {
  std::vector<std::int64_t> shape;  ///< 1 to 4 sizes
  Bytes data;                       ///< as many bytes as the shape says
};

/// Parses a plain or gzipped file (told apart by its first bytes). DataError if it is truncated,
/// too long, of another element type, or promises more than `max_bytes`.
IdxArray parse_idx(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes = kMaxBytes);

/// The file for an array, plain.
Bytes encode_idx(const IdxArray& array);

}  // namespace namid::io
