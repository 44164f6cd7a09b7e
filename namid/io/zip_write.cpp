// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/io/zip.h"

namespace namid::io {
namespace {

constexpr std::uint64_t kIn64 = 0xffffffff;
constexpr std::uint64_t kManyMembers = 0xffff;
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kVersion64 = 45;
constexpr std::uint16_t kUtf8Names = 1 << 11;
constexpr std::uint64_t kLocalBytes = 30, kLocal64Bytes = 20, kFieldBytes = 4;
constexpr std::uint16_t kPaddingField = 0x4246;  // "FB", as PyTorch aligns with
constexpr std::uint16_t kFirstDay = 1 << 5 | 1;  // 1 January 1980, the earliest date there is

class Writer {
 public:
  void put(std::uint64_t value, int bytes) {
    for (; bytes > 0; --bytes, value >>= 8) out_.push_back(std::byte(value & 0xff));
  }
  void put(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  std::uint64_t offset() const { return out_.size(); }
  void reserve(std::uint64_t bytes) { out_.reserve(bytes); }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

struct Member {
  std::string_view name;
  std::uint32_t crc;
  std::uint64_t size;
  std::uint64_t offset;
  bool zip64;
  std::uint64_t padding = 0;  ///< bytes of an extra field that only fills
};

/// What local header and directory entry have in common, from version to the name's length.
void put_common(Writer& out, const Member& member) {
  out.put(member.zip64 ? kVersion64 : kVersion, 2);
  out.put(kUtf8Names, 2);
  out.put(0, 4);  // stored, midnight
  out.put(kFirstDay, 2);
  out.put(member.crc, 4);
  for (int i = 0; i < 2; ++i) out.put(member.zip64 ? kIn64 : member.size, 4);
  out.put(member.name.size(), 2);
}

std::uint64_t padding_of(const Member& member, std::uint64_t alignment) {
  const auto start =
      member.offset + kLocalBytes + member.name.size() + (member.zip64 ? kLocal64Bytes : 0);
  const auto gap = (alignment - start % alignment) % alignment;
  return gap == 0 || gap >= kFieldBytes
             ? gap
             : gap + alignment * ((kFieldBytes + alignment - 1) / alignment);
}

void put_local(Writer& out, const Member& member, ByteSpan content) {
  out.put(0x04034b50, 4);
  put_common(out, member);
  out.put((member.zip64 ? kLocal64Bytes : 0) + member.padding, 2);
  out.put(as_bytes(member.name));
  if (member.zip64) {
    out.put(1, 2);
    out.put(16, 2);
    for (int i = 0; i < 2; ++i) out.put(member.size, 8);
  }
  if (member.padding > 0) {
    out.put(kPaddingField, 2);
    out.put(member.padding - kFieldBytes, 2);
    for (auto i = kFieldBytes; i < member.padding; ++i) out.put(0, 1);
  }
  out.put(content);
}

void put_central(Writer& out, const Member& member) {
  out.put(0x02014b50, 4);
  out.put(kVersion64, 2);
  put_common(out, member);
  out.put(member.zip64 ? 28 : 0, 2);
  out.put(0, 10);
  out.put(member.zip64 ? kIn64 : member.offset, 4);
  out.put(as_bytes(member.name));
  if (!member.zip64) return;
  out.put(1, 2);
  out.put(24, 2);
  for (int i = 0; i < 2; ++i) out.put(member.size, 8);
  out.put(member.offset, 8);
}

void put_end64(Writer& out, std::uint64_t count, std::uint64_t start) {
  const auto end = out.offset();
  out.put(0x06064b50, 4);
  out.put(44, 8);
  for (int i = 0; i < 2; ++i) out.put(kVersion64, 2);
  out.put(0, 8);
  for (int i = 0; i < 2; ++i) out.put(count, 8);
  out.put(end - start, 8);
  out.put(start, 8);
  out.put(0x07064b50, 4);
  out.put(0, 4);
  out.put(end, 8);
  out.put(1, 4);
}

}  // namespace

Bytes encode_zip(const std::vector<ZipMember>& members, const ZipLayout& layout) {
  Writer out;
  std::uint64_t total = 0;
  for (const auto& [name, content] : members)
    total += content.size() + 2 * name.size() + 256 + layout.alignment;
  out.reserve(total);
  std::vector<Member> written;
  for (const auto& [name, content] : members) {
    const bool large = layout.zip64 || content.size() >= kIn64 || out.offset() >= kIn64;
    written.push_back({name, crc32_of(content), content.size(), out.offset(), large});
    written.back().padding = padding_of(written.back(), layout.alignment);
    put_local(out, written.back(), content);
  }
  const auto start = out.offset();
  for (const auto& member : written) put_central(out, member);
  const auto size = out.offset() - start;
  const auto count = static_cast<std::uint64_t>(members.size());
  const bool large = layout.zip64 || count >= kManyMembers || out.offset() >= kIn64;
  if (large) put_end64(out, count, start);
  out.put(0x06054b50, 4);
  out.put(0, 4);
  for (int i = 0; i < 2; ++i) out.put(large ? kManyMembers : count, 2);
  out.put(large ? kIn64 : size, 4);
  out.put(large ? kIn64 : start, 4);
  out.put(0, 2);
  return out.take();
}

Bytes encode_zip(const std::vector<std::pair<std::string, Bytes>>& members, bool zip64) {
  std::vector<ZipMember> views;
  for (const auto& [name, content] : members) views.push_back({name, content});
  return encode_zip(views, {.zip64 = zip64});
}

}  // namespace namid::io
