// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/npy_header.h"

namespace namid::io {
namespace {

struct TypeFacts {
  std::size_t size;
  const char* code;
  const char* name;
};

constexpr std::array<TypeFacts, 11> kFacts{{{1, "|b1", "bool"},
                                            {1, "|u1", "uint8"},
                                            {1, "|i1", "int8"},
                                            {2, "<u2", "uint16"},
                                            {2, "<i2", "int16"},
                                            {4, "<u4", "uint32"},
                                            {4, "<i4", "int32"},
                                            {8, "<u8", "uint64"},
                                            {8, "<i8", "int64"},
                                            {4, "<f4", "float32"},
                                            {8, "<f8", "float64"}}};

const TypeFacts& facts(NpyType type) {
  return kFacts[static_cast<std::size_t>(type)];
}

Bytes from_fortran_order(const Bytes& data, std::size_t size,
                         const std::vector<std::int64_t>& shape) {
  Bytes out(data.size());
  std::vector<std::size_t> strides(shape.size());
  std::size_t stride = size;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    strides[d] = stride;
    stride *= static_cast<std::size_t>(shape[d]);
  }
  std::vector<std::int64_t> index(shape.size());
  std::size_t from = 0;
  for (std::size_t to = 0; to < out.size(); to += size) {
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(from), size,
                out.begin() + static_cast<std::ptrdiff_t>(to));
    for (std::size_t d = shape.size(); d-- > 0;) {
      from += strides[d];
      if (++index[d] < shape[d]) break;
      from -= strides[d] * static_cast<std::size_t>(index[d]);
      index[d] = 0;
    }
  }
  return out;
}

/// Whether this number is an integer of type int64. 2^63 itself is not, though it compares equal to
/// the largest int64 converted to double.
bool is_int64(double value) {
  return value >= -0x1p63 && value < 0x1p63 && value == std::floor(value);
}

template <class T>
void append_integers(const NpyArray& array, const std::string& name,
                     std::vector<std::int64_t>& out) {
  const auto values = array.values<T>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    bool fits = true;
    if constexpr (std::is_floating_point_v<T>) fits = is_int64(static_cast<double>(values[i]));
    if constexpr (std::is_same_v<T, std::uint64_t>)
      fits = values[i] <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!fits)
      throw DataError(str(name, ": element ", i, ": expected an integer, got ", values[i]));
    out.push_back(static_cast<std::int64_t>(values[i]));
  }
}

}  // namespace

std::size_t size_of(NpyType type) {
  return facts(type).size;
}
std::string name_of(NpyType type) {
  return facts(type).name;
}

namespace detail {
void wrong_type(NpyType expected, NpyType got) {
  throw DataError(str("expected an array of ", name_of(expected), ", got ", name_of(got)));
}
}  // namespace detail

std::int64_t NpyArray::count() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::vector<std::int64_t> NpyArray::integers(const std::string& name) const {
  std::vector<std::int64_t> out;
  out.reserve(data.size() / size_of(type));
  switch (type) {
    case NpyType::b1:
      for (const auto byte : data) out.push_back(byte == std::byte{0} ? 0 : 1);
      break;
    case NpyType::u1:
      append_integers<std::uint8_t>(*this, name, out);
      break;
    case NpyType::i1:
      append_integers<std::int8_t>(*this, name, out);
      break;
    case NpyType::u2:
      append_integers<std::uint16_t>(*this, name, out);
      break;
    case NpyType::i2:
      append_integers<std::int16_t>(*this, name, out);
      break;
    case NpyType::u4:
      append_integers<std::uint32_t>(*this, name, out);
      break;
    case NpyType::i4:
      append_integers<std::int32_t>(*this, name, out);
      break;
    case NpyType::u8:
      append_integers<std::uint64_t>(*this, name, out);
      break;
    case NpyType::i8:
      append_integers<std::int64_t>(*this, name, out);
      break;
    case NpyType::f4:
      append_integers<float>(*this, name, out);
      break;
    case NpyType::f8:
      append_integers<double>(*this, name, out);
      break;
  }
  return out;
}

Bytes rearrange(Bytes data, const NpyDescr& descr, const std::vector<std::int64_t>& shape,
                bool fortran_order) {
  const auto size = size_of(descr.type);
  if (descr.type == NpyType::b1)  // a C++ bool has two values, a byte of a file may have others
    for (auto& byte : data) byte = byte == std::byte{0} ? std::byte{0} : std::byte{1};
  if (descr.big_endian && size > 1)
    for (auto at = data.begin(); at != data.end(); at += static_cast<std::ptrdiff_t>(size))
      std::reverse(at, at + static_cast<std::ptrdiff_t>(size));
  return fortran_order && shape.size() > 1 ? from_fortran_order(data, size, shape)
                                           : std::move(data);
}

NpyArray parse_npy(Bytes&& bytes, const std::string& name, std::uint64_t max_bytes) {
  auto header = parse_npy_header(bytes, name, max_bytes);
  if (bytes.size() - header.data_offset != header.data_bytes)
    fail_at(name, header.data_offset,
            str("expected ", header.data_bytes, " bytes of data, got ",
                bytes.size() - header.data_offset));
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header.data_offset));
  auto data = rearrange(std::move(bytes), header.descr, header.shape, header.fortran_order);
  return {header.descr.type, std::move(header.shape), std::move(data)};
}

NpyArray parse_npy(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  return parse_npy(Bytes(bytes.begin(), bytes.end()), name, max_bytes);
}

Bytes encode_npy(const NpyArray& array) {
  auto out = encode_npy_header(facts(array.type).code, array.shape);
  out.insert(out.end(), array.data.begin(), array.data.end());
  return out;
}

}  // namespace namid::io
