// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "namid/core/format.h"
#include "namid/io/zip.h"

namespace namid::testing {

/// Writes pickles opcode by opcode, well-formed or not.
class PickleBuilder {
 public:
  PickleBuilder& op(int opcode) { return raw(std::string(1, static_cast<char>(opcode))); }
  PickleBuilder& raw(const std::string& bytes) {
    program_ += bytes;
    return *this;
  }
  PickleBuilder& mark() { return op('('); }
  PickleBuilder& little(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) op(static_cast<int>(value >> 8 * i & 0xff));
    return *this;
  }
  PickleBuilder& text(const std::string& value) {
    return op('X').little(value.size(), 4).raw(value);
  }
  PickleBuilder& integer(std::int64_t value) {
    return op(0x8a).little(8, 1).little(static_cast<std::uint64_t>(value), 8);
  }
  PickleBuilder& integers(const std::vector<std::int64_t>& values) {
    mark();
    for (const auto value : values) integer(value);
    return op('t');
  }
  PickleBuilder& global(const std::string& module, const std::string& name) {
    return raw(str("c", module, "\n", name, "\n"));
  }
  PickleBuilder& storage(const std::string& key, std::int64_t count,
                         const std::string& type = "FloatStorage") {
    mark().text("storage").global("torch", type).text(key).text("cpu").integer(count);
    return op('t').op('Q');
  }
  /// A float tensor; the strides those of a contiguous one unless given.
  PickleBuilder& tensor(const std::string& key, std::int64_t count,
                        const std::vector<std::int64_t>& shape, std::int64_t offset = 0,
                        std::vector<std::int64_t> strides = {}) {
    if (strides.empty()) {
      strides.resize(shape.size(), 1);
      for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
    }
    global("torch._utils", "_rebuild_tensor_v2").mark().storage(key, count).integer(offset);
    return integers(shape).integers(strides).op(0x89).op('}').op('t').op('R');
  }
  /// The pickle as it stands, with protocol and STOP around.
  std::string bytes() const { return "\x80\x02" + program_ + "."; }

 private:
  std::string program_;
};

/// Key and number of bytes of a record, which are 0, 1, 2, ...
using Records = std::vector<std::pair<std::string, std::size_t>>;

inline io::Bytes counting(std::size_t size) {
  io::Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = std::byte(i & 0xff);
  return bytes;
}

inline io::Bytes to_bytes(const std::string& text) {
  const auto bytes = io::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

/// What torch.save writes around a pickle: a zip archive, ...
inline io::Bytes zip_file(const std::string& pickle, const Records& records,
                          const std::string& byte_order = "little") {
  std::vector<std::pair<std::string, io::Bytes>> members{{"f/data.pkl", to_bytes(pickle)},
                                                         {"f/byteorder", to_bytes(byte_order)}};
  for (const auto& [key, size] : records) members.emplace_back("f/data/" + key, counting(size));
  return io::encode_zip(members);
}

/// ... or, in the older form, pickles one after the other. Records are of float32.
inline io::Bytes legacy_file(const std::string& pickle, const Records& records) {
  PickleBuilder magic, version, system, keys;
  magic.raw("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
  version.integer(1001);
  system.op('}').text("little_endian").op(0x88).op('s');
  keys.op(']').mark();
  for (const auto& record : records) keys.text(record.first);
  keys.op('e');
  auto file = to_bytes(magic.bytes() + version.bytes() + system.bytes() + pickle + keys.bytes());
  for (const auto& record : records) {
    PickleBuilder count;
    count.little(record.second / 4, 8);
    const auto text = count.bytes();
    for (const char c : text.substr(2, 8)) file.push_back(static_cast<std::byte>(c));
    const auto content = counting(record.second);
    file.insert(file.end(), content.begin(), content.end());
  }
  return file;
}

}  // namespace namid::testing
