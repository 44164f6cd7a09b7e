// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace namid::io {

/// Element types of a safetensors file; `dtype_name` gives the text of the file ("F32"; "C64": two
/// float32).
enum class DType {
  f64,
  f32,
  f16,
  bf16,
  i64,
  i32,
  i16,
  i8,
  u8,
  boolean,
  u64,
  u32,
  u16,
  f8_e4m3,
  f8_e5m2,
  c64
};
std::string_view dtype_name(DType dtype);
std::size_t dtype_size(DType dtype);  ///< bytes per element

/// One tensor of a file. `data` is row-major, little-endian, of exactly the size that dtype and
/// shape ask for; it points into the bytes that were parsed (or that are to be written).
struct SafeTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::string_view data = {};
};

using SafeMetadata = std::map<std::string, std::string>;

struct SafetensorsFile {
  std::vector<SafeTensor> tensors;  ///< in the header's order
  SafeMetadata metadata;
};

/// The header alone: `begin[i]` is where tensor i starts, counted from the start of the file; the
/// tensors' `data` is empty.
struct SafetensorsHeader : SafetensorsFile {
  std::vector<std::uint64_t> begin;
  std::vector<std::uint64_t> size;  ///< bytes
};

/// Largest header accepted, as in the reference implementation.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

/// Length of the JSON header from a file's first 8 bytes. Throws DataError if it does not fit.
std::uint64_t safetensors_header_length(std::string_view first_bytes, std::uint64_t file_size,
                                        const std::string& file);

/// Parses the JSON header of a file of `file_size` bytes: 8 bytes length, header, data. Every
/// tensor lies inside the file, none overlaps another, no byte is left over. `file` is the name for
/// messages.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t file_size,
                                           const std::string& file);

/// Parses a whole file held in memory. Throws DataError with file, offset and tensor.
SafetensorsFile parse_safetensors(std::string_view bytes, const std::string& file);

/// Everything before the data, and the order in which the tensors' data follows: by falling element
/// size, so that each tensor is aligned in the file. The header lists them in the given order.
/// Throws DataError for a name used twice or reserved, and for data that does not fit its shape.
struct SafetensorsLayout {
  std::string head;
  std::vector<std::size_t> order;
};
SafetensorsLayout lay_out_safetensors(const std::vector<SafeTensor>& tensors,
                                      const SafeMetadata& metadata);

/// The bytes of a whole file.
std::string write_safetensors(const std::vector<SafeTensor>& tensors, const SafeMetadata& metadata);

/// The header's JSON for tensors laid out as above (their `data` is not looked at). Depends on
/// names, types, shapes, order and metadata alone, so that a checksum of it can be made again after
/// reading.
std::string safetensors_header_json(const std::vector<SafeTensor>& tensors,
                                    const SafeMetadata& metadata);

}  // namespace namid::io
