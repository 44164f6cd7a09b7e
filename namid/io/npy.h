// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "namid/io/bytes.h"

namespace namid::io {

/// Element types of an array, by numpy's codes.
enum class NpyType { b1, u1, i1, u2, i2, u4, i4, u8, i8, f4, f8 };

/// Bytes of one element.
std::size_t size_of(NpyType type);
/// numpy's name of the type: "uint8", "float32", "bool".
std::string name_of(NpyType type);

namespace detail {
template <class T>
constexpr NpyType npy_type();
}

/// An array in memory: C order, this machine's byte order.
struct NpyArray {
  NpyType type = NpyType::u1;
  std::vector<std::int64_t> shape;  ///< empty: a scalar
  Bytes data;

  std::int64_t count() const;
  /// The elements. DataError if the type is another one.
  template <class T>
  std::span<const T> values() const;
  /// The elements as integers, whatever their type. DataError (with `name` and the element's index)
  /// for a fractional or non-finite number or one outside int64.
  std::vector<std::int64_t> integers(const std::string& name) const;
};

/// An array of T with these elements.
template <class T>
NpyArray npy_array(std::vector<std::int64_t> shape, std::span<const T> values);

/// Parses an .npy file of format version 1, 2 or 3. Big-endian and Fortran-order data are
/// rearranged. DataError for object and other types, a header that is damaged or promises more than
/// `max_bytes`, and for data that is too short or too long.
NpyArray parse_npy(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes = kMaxBytes);

/// The same for a file that the caller gives up; no second copy of the data is made.
NpyArray parse_npy(Bytes&& bytes, const std::string& name, std::uint64_t max_bytes = kMaxBytes);

/// The .npy file (version 1.0, little-endian, C order, data aligned to 64 bytes).
Bytes encode_npy(const NpyArray& array);

/// What numpy writes as dtype: '<f4' and the like. DataError at `offset` of `name` for anything but
/// the types above.
struct NpyDescr {
  NpyType type = NpyType::u1;
  bool big_endian = false;
};
NpyDescr parse_descr(std::string_view descr, const std::string& name, std::uint64_t offset);

/// Data as a file holds it to data as NpyArray holds it.
Bytes rearrange(Bytes data, const NpyDescr& descr, const std::vector<std::int64_t>& shape,
                bool fortran_order);

namespace detail {
template <>
constexpr NpyType npy_type<bool>() {
  return NpyType::b1;
}
template <>
constexpr NpyType npy_type<std::uint8_t>() {
  return NpyType::u1;
}
template <>
constexpr NpyType npy_type<std::int8_t>() {
  return NpyType::i1;
}
template <>
constexpr NpyType npy_type<std::uint16_t>() {
  return NpyType::u2;
}
template <>
constexpr NpyType npy_type<std::int16_t>() {
  return NpyType::i2;
}
template <>
constexpr NpyType npy_type<std::uint32_t>() {
  return NpyType::u4;
}
template <>
constexpr NpyType npy_type<std::int32_t>() {
  return NpyType::i4;
}
template <>
constexpr NpyType npy_type<std::uint64_t>() {
  return NpyType::u8;
}
template <>
constexpr NpyType npy_type<std::int64_t>() {
  return NpyType::i8;
}
template <>
constexpr NpyType npy_type<float>() {
  return NpyType::f4;
}
template <>
constexpr NpyType npy_type<double>() {
  return NpyType::f8;
}

[[noreturn]] void wrong_type(NpyType expected, NpyType got);
}  // namespace detail

template <class T>
std::span<const T> NpyArray::values() const {
  if (type != detail::npy_type<T>()) detail::wrong_type(detail::npy_type<T>(), type);
  return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
}

template <class T>
NpyArray npy_array(std::vector<std::int64_t> shape, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {detail::npy_type<T>(), std::move(shape), Bytes(bytes.begin(), bytes.end())};
}

}  // namespace namid::io
