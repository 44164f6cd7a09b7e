// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "namid/io/bytes.h"
#include "namid/io/npy.h"

namespace namid::io {

/// What stands before the data of every .npy file, the dtype as numpy writes it ("<f4", "<U5").
struct NpyLayout {
  std::uint64_t header_offset = 0;
  std::string descr;
  std::uint64_t descr_offset = 0;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::uint64_t data_offset = 0;
};

/// The same for the types of NpyArray.
struct NpyHeader {
  NpyDescr descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::uint64_t data_offset = 0;
  std::uint64_t data_bytes = 0;
};

/// Parses the header alone. DataError for anything damaged, whatever the dtype.
NpyLayout parse_npy_layout(ByteSpan bytes, const std::string& name);

/// Bytes of the data: `element` times the sizes. DataError if that is above `max_bytes`.
std::uint64_t npy_data_bytes(const NpyLayout& layout, std::uint64_t element,
                             const std::string& name, std::uint64_t max_bytes);

/// Parses the header alone; DataError as for parse_npy.
NpyHeader parse_npy_header(ByteSpan bytes, const std::string& name,
                           std::uint64_t max_bytes = kMaxBytes);

/// Magic number and header (version 1.0, C order), padded so that the data start at 64 bytes.
Bytes encode_npy_header(std::string_view descr, const std::vector<std::int64_t>& shape);

}  // namespace namid::io
