// SPDX-License-Identifier: Apache-2.0
#include "namid/io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/safetensors_sax.h"

namespace namid::io {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::array<std::string_view, 16> kNames{"F64", "F32",     "F16",     "BF16", "I64", "I32",
                                                  "I16", "I8",      "U8",      "BOOL", "U64", "U32",
                                                  "U16", "F8_E4M3", "F8_E5M2", "C64"};
constexpr std::array<std::size_t, 16> kSizes{8, 4, 2, 2, 8, 4, 2, 1, 1, 1, 8, 4, 2, 1, 1, 8};

[[noreturn]] void fail(const std::string& file, std::string_view what) {
  throw DataError(str(file, ": ", what));
}

DType find_dtype(const HeaderEntry& entry, const std::string& file) {
  const auto found = std::find(kNames.begin(), kNames.end(), entry.dtype);
  if (found == kNames.end())
    fail(file, str("tensor '", entry.name, "': element type '", entry.dtype,
                   "' is not known; expected F64, F32, F16, BF16, F8_E4M3, F8_E5M2, C64, I64 to "
                   "I8, U64 to U8 or BOOL"));
  return static_cast<DType>(found - kNames.begin());
}

// Zeros are left out of the product, so that a shape such as [2^62, 2^62, 0] is refused too.
std::uint64_t byte_size(const SafeTensor& tensor, const std::string& file) {
  __extension__ using Wide = unsigned __int128;
  Wide product = dtype_size(tensor.dtype);
  bool empty = false;
  for (const auto extent : tensor.shape) {
    empty |= extent == 0;
    product *= static_cast<Wide>(std::max<std::int64_t>(extent, 1));
    if (product > static_cast<Wide>(std::numeric_limits<std::int64_t>::max()))
      fail(file, str("tensor '", tensor.name, "': its shape asks for more than 2^63 bytes"));
  }
  return empty ? 0 : static_cast<std::uint64_t>(product);
}

void check_cover(const SafetensorsHeader& header, std::uint64_t start, std::uint64_t file_size,
                 const std::string& file) {
  std::vector<std::size_t> order(header.tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(header.begin[a], header.size[a]) < std::pair(header.begin[b], header.size[b]);
  });
  std::uint64_t at = start;
  for (const auto i : order) {
    const auto& name = header.tensors[i].name;
    if (header.begin[i] < at)
      fail(file,
           str("offset ", header.begin[i], ": tensor '", name, "' overlaps the one before it"));
    if (header.begin[i] > at)
      fail(file, str("offset ", at, ": ", header.begin[i] - at, " bytes before tensor '", name,
                     "' belong to no tensor"));
    at += header.size[i];
  }
  if (at != file_size)
    fail(file, str("offset ", at, ": ", file_size - at, " bytes after the last tensor"));
}

void check_writable(const std::vector<SafeTensor>& tensors) {
  std::set<std::string_view> names;
  for (const auto& tensor : tensors) {
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second)
      throw DataError(str("safetensors: tensor name '", tensor.name, "' is ",
                          tensor.name == "__metadata__" ? "reserved" : "used twice"));
    const auto size = byte_size(tensor, "safetensors");
    if (size != tensor.data.size())
      throw DataError(str("safetensors: tensor '", tensor.name, "': expected ", size,
                          " bytes of data, got ", tensor.data.size()));
  }
}

std::vector<std::size_t> data_order(const std::vector<SafeTensor>& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return dtype_size(tensors[a].dtype) > dtype_size(tensors[b].dtype);
  });
  return order;
}

}  // namespace

std::string_view dtype_name(DType dtype) {
  return kNames[static_cast<std::size_t>(dtype)];
}
std::size_t dtype_size(DType dtype) {
  return kSizes[static_cast<std::size_t>(dtype)];
}

std::uint64_t safetensors_header_length(std::string_view first_bytes, std::uint64_t file_size,
                                        const std::string& file) {
  if (first_bytes.size() < 8 || file_size < 8)
    fail(file, str("offset 0: expected the 8 bytes of a safetensors header length, file holds ",
                   file_size));
  std::uint64_t length = 0;
  std::memcpy(&length, first_bytes.data(), 8);
  if (length > kMaxSafetensorsHeader)
    fail(file, str("offset 0: header length ", length, " is above ", kMaxSafetensorsHeader,
                   "; this is no safetensors file"));
  if (length > file_size - 8)
    fail(file, str("offset 0: header length is ", length, ", but only ", file_size - 8,
                   " bytes follow; the file is cut off"));
  return length;
}

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t file_size,
                                           const std::string& file) {
  if (json.empty() || json.front() != '{')
    fail(file, "offset 8: the header does not start with '{'; this is no safetensors file");
  SafetensorsHeader header;
  const std::uint64_t start = 8 + json.size();
  for (auto& entry : parse_header_json(json, file, header.metadata)) {
    SafeTensor tensor{entry.name, find_dtype(entry, file), std::move(entry.shape)};
    const auto expected = byte_size(tensor, file);
    if (entry.end < entry.begin || entry.end > file_size - start)
      fail(file, str("tensor '", entry.name, "': offsets ", entry.begin, " to ", entry.end,
                     " do not lie in the ", file_size - start, " bytes of data"));
    if (entry.end - entry.begin != expected)
      fail(file, str("offset ", start + entry.begin, ": tensor '", entry.name,
                     "': shape and type ask for ", expected, " bytes, the offsets give ",
                     entry.end - entry.begin));
    header.begin.push_back(start + entry.begin);
    header.size.push_back(expected);
    header.tensors.push_back(std::move(tensor));
  }
  check_cover(header, start, file_size, file);
  return header;
}

SafetensorsFile parse_safetensors(std::string_view bytes, const std::string& file) {
  const auto length = safetensors_header_length(bytes.substr(0, 8), bytes.size(), file);
  auto header = parse_safetensors_header(bytes.substr(8, length), bytes.size(), file);
  for (std::size_t i = 0; i < header.tensors.size(); ++i)
    header.tensors[i].data = bytes.substr(header.begin[i], header.size[i]);
  return header;
}

std::string safetensors_header_json(const std::vector<SafeTensor>& tensors,
                                    const SafeMetadata& metadata) {
  std::vector<std::uint64_t> begin(tensors.size()), end(tensors.size());
  std::uint64_t at = 0;
  for (const auto i : data_order(tensors)) {
    begin[i] = at;
    at += byte_size(tensors[i], "safetensors");
    end[i] = at;
  }
  std::string text = "{";
  const auto append = [&](const std::string& name, const nlohmann::ordered_json& value) {
    text += str(text.size() > 1 ? "," : "", nlohmann::json(name).dump(), ":", value.dump());
  };
  if (!metadata.empty()) append("__metadata__", metadata);
  for (std::size_t i = 0; i < tensors.size(); ++i)
    append(tensors[i].name, {{"dtype", dtype_name(tensors[i].dtype)},
                             {"shape", tensors[i].shape},
                             {"data_offsets", {begin[i], end[i]}}});
  return text + "}";
}

SafetensorsLayout lay_out_safetensors(const std::vector<SafeTensor>& tensors,
                                      const SafeMetadata& metadata) {
  check_writable(tensors);
  auto json = safetensors_header_json(tensors, metadata);
  json.append((8 - json.size() % 8) % 8, ' ');
  if (json.size() > kMaxSafetensorsHeader)
    throw DataError(str("safetensors: a header of ", json.size(), " bytes is too large; at most ",
                        kMaxSafetensorsHeader));
  const std::uint64_t length = json.size();
  std::string head(8, '\0');
  std::memcpy(head.data(), &length, 8);
  return {head + json, data_order(tensors)};
}

std::string write_safetensors(const std::vector<SafeTensor>& tensors,
                              const SafeMetadata& metadata) {
  auto [bytes, order] = lay_out_safetensors(tensors, metadata);
  for (const auto i : order) bytes.append(tensors[i].data);
  return bytes;
}

}  // namespace namid::io
