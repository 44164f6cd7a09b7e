// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "namid/io/bytes.h"
#include "namid/io/npy.h"

namespace namid::io {

/// What stands before the data of an .npy file.
struct NpyHeader {
  NpyDescr descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::uint64_t data_offset = 0;
  std::uint64_t data_bytes = 0;
};

/// Parses the header alone; DataError as for parse_npy.
NpyHeader parse_npy_header(ByteSpan bytes, const std::string& name,
                           std::uint64_t max_bytes = kMaxBytes);

}  // namespace namid::io
