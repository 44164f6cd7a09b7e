// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace namid::io {

static_assert(std::endian::native == std::endian::little);

/// Writes one message of protocol buffers: fields in the order of the calls. A message inside
/// another is a field of bytes.
class ProtobufWriter {
 public:
  ProtobufWriter& varint(int field, std::int64_t value) {
    key(field, 0);
    append_varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  ProtobufWriter& number(int field, double value) { return raw(field, 1, value); }
  ProtobufWriter& number(int field, float value) { return raw(field, 5, value); }
  ProtobufWriter& bytes(int field, std::string_view value) {
    key(field, 2);
    append_varint(value.size());
    out_.append(value);
    return *this;
  }
  const std::string& text() const { return out_; }

 private:
  void key(int field, int wire) { append_varint(static_cast<std::uint64_t>(field << 3 | wire)); }
  void append_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }
  template <class T>
  ProtobufWriter& raw(int field, int wire, T value) {
    key(field, wire);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }

  std::string out_;
};

}  // namespace namid::io
