// SPDX-License-Identifier: Apache-2.0
// Section numbers are those of PKWARE's APPNOTE.TXT 6.3.
#include "namid/io/zip.h"

#include <zlib.h>

#include <algorithm>

#include "namid/core/format.h"
#include "namid/io/gzip.h"

namespace namid::io {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kLocatorBytes = 20;
constexpr std::uint64_t kCentralBytes = 46;
constexpr std::uint64_t kLongestComment = 0xffff;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the true value stands in a zip64 field

struct Directory {
  std::uint64_t count = 0, size = 0, offset = 0;
};

void expect_signature(Cursor& cursor, std::uint32_t signature, std::string_view what) {
  const auto at = cursor.offset();
  if (cursor.little<std::uint32_t>(what) != signature)
    fail_at(cursor.name(), at, str("expected a ", what));
}

/// 4.3.16: stands at the end, behind it only its comment.
std::uint64_t find_end(ByteSpan bytes, const std::string& name) {
  if (bytes.size() < kEndBytes)
    fail_at(name, 0, str("expected a zip archive, got ", bytes.size(), " bytes"));
  const std::uint64_t last = bytes.size() - kEndBytes;
  const std::uint64_t first = last > kLongestComment ? last - kLongestComment : 0;
  for (auto at = last + 1; at-- > first;) {
    Cursor cursor(bytes, name);
    cursor.seek(at, "end record");
    if (cursor.little<std::uint32_t>("end record") != kEnd) continue;
    cursor.take(16, "end record");
    if (cursor.little<std::uint16_t>("end record") == bytes.size() - at - kEndBytes) return at;
  }
  fail_at(name, bytes.size(),
          "expected the end of a zip archive; the file is cut off or no zip archive");
}

/// 4.3.14, 4.3.15
Directory read_end64(Cursor& cursor, std::uint64_t end) {
  if (end < kLocatorBytes) cursor.fail("expected a zip64 locator");
  cursor.seek(end - kLocatorBytes, "zip64 locator");
  expect_signature(cursor, kLocator64, "zip64 locator");
  cursor.take(4, "zip64 locator");
  cursor.seek(cursor.little<std::uint64_t>("zip64 locator"), "zip64 end record");
  expect_signature(cursor, kEnd64, "zip64 end record");
  cursor.take(20, "zip64 end record");
  cursor.take(8, "zip64 end record");
  Directory directory;
  directory.count = cursor.little<std::uint64_t>("zip64 end record");
  directory.size = cursor.little<std::uint64_t>("zip64 end record");
  directory.offset = cursor.little<std::uint64_t>("zip64 end record");
  return directory;
}

Directory find_directory(ByteSpan bytes, const std::string& name) {
  const auto end = find_end(bytes, name);
  Cursor cursor(bytes, name);
  cursor.seek(end + 4, "end record");
  const auto disk = cursor.little<std::uint16_t>("end record");
  const auto first_disk = cursor.little<std::uint16_t>("end record");
  const auto here = cursor.little<std::uint16_t>("end record");
  Directory directory;
  directory.count = cursor.little<std::uint16_t>("end record");
  directory.size = cursor.little<std::uint32_t>("end record");
  directory.offset = cursor.little<std::uint32_t>("end record");
  if (directory.count == 0xffff || directory.size == kIn64 || directory.offset == kIn64)
    directory = read_end64(cursor, end);
  else if (disk != 0 || first_disk != 0 || here != directory.count)
    fail_at(name, end, "expected an archive in one file, got a part of a split one");
  if (directory.offset > end || directory.size > end - directory.offset)
    fail_at(name, end,
            str("the directory is said to lie at ", directory.offset, " with ", directory.size,
                " bytes, beyond the file"));
  if (directory.count > directory.size / kCentralBytes)
    fail_at(name, end,
            str("the directory of ", directory.size, " bytes cannot hold ", directory.count,
                " members"));
  return directory;
}

/// 4.5.3: the fields that are kIn64 above, in this order.
void read_extra64(Cursor extra, ZipEntry& entry) {
  while (extra.remaining() >= 4) {
    const auto id = extra.little<std::uint16_t>("extra field");
    const auto length = extra.little<std::uint16_t>("extra field");
    Cursor field(extra.take(length, "extra field"), extra.name());
    if (id != 1) continue;
    for (auto* value : {&entry.size, &entry.packed, &entry.header_offset})
      if (*value == kIn64) *value = field.little<std::uint64_t>("zip64 field");
    return;
  }
}

}  // namespace

ZipArchive::ZipArchive(ByteSpan bytes, std::string name, std::uint64_t max_bytes)
    : bytes_(bytes), name_(std::move(name)), max_bytes_(max_bytes) {
  const auto directory = find_directory(bytes_, name_);
  Cursor cursor(bytes_.first(directory.offset + directory.size), name_);
  cursor.seek(directory.offset, "directory");
  for (std::uint64_t i = 0; i < directory.count; ++i) add_entry(cursor, directory.offset);
  if (cursor.remaining() != 0) cursor.fail("expected the end of the directory");
  check_names(directory.offset);
  check_overlaps();
}

void ZipArchive::check_names(std::uint64_t directory_offset) const {
  std::vector<std::string_view> names;
  for (const auto& entry : entries_) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    fail_at(name_, directory_offset, str("two members are called '", *twice, "'"));
}

/// Members that share bytes make a small file inflate to a large one without end.
void ZipArchive::check_overlaps() const {
  std::vector<const ZipEntry*> order;
  for (const auto& entry : entries_) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const ZipEntry* a, const ZipEntry* b) {
    return a->header_offset < b->header_offset;
  });
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i]->header_offset < order[i - 1]->data_offset + order[i - 1]->packed)
      fail_at(name_, order[i]->header_offset,
              str("members '", order[i - 1]->name, "' and '", order[i]->name, "' overlap"));
}

void ZipArchive::add_entry(Cursor& directory, std::uint64_t directory_offset) {
  const auto start = directory.offset();
  expect_signature(directory, kCentral, "directory entry");
  directory.take(4, "directory entry");
  const auto flags = directory.little<std::uint16_t>("directory entry");
  const auto method = directory.little<std::uint16_t>("directory entry");
  directory.take(4, "directory entry");
  ZipEntry entry;
  entry.crc = directory.little<std::uint32_t>("directory entry");
  entry.packed = directory.little<std::uint32_t>("directory entry");
  entry.size = directory.little<std::uint32_t>("directory entry");
  const auto name_length = directory.little<std::uint16_t>("directory entry");
  const auto extra_length = directory.little<std::uint16_t>("directory entry");
  const auto comment_length = directory.little<std::uint16_t>("directory entry");
  directory.take(8, "directory entry");
  entry.header_offset = directory.little<std::uint32_t>("directory entry");
  entry.name = as_text(directory.take(name_length, "member name"));
  read_extra64({directory.take(extra_length, "extra field"), name_}, entry);
  directory.take(comment_length, "member comment");
  if (flags & 1) fail_at(name_, start, str("member '", entry.name, "' is encrypted"));
  if (method != 0 && method != Z_DEFLATED)
    fail_at(
        name_, start,
        str("member '", entry.name, "': expected method 0 (stored) or 8 (deflated), got ", method));
  entry.deflated = method == Z_DEFLATED;
  if (!entry.deflated && entry.packed != entry.size)
    fail_at(name_, start,
            str("stored member '", entry.name, "': expected ", entry.size, " bytes, got ",
                entry.packed));
  check_size(name_of(entry), start, entry.size, max_bytes_);
  entry.data_offset = locate_data(entry, directory_offset);
  entries_.push_back(std::move(entry));
}

/// 4.3.7: the local header repeats the name; its extra field may differ in length.
std::uint64_t ZipArchive::locate_data(const ZipEntry& entry, std::uint64_t end) const {
  const auto header_offset = entry.header_offset;
  Cursor cursor(bytes_.first(end), name_);
  cursor.seek(header_offset, str("member '", entry.name, "'"));
  expect_signature(cursor, kLocal, "local header");
  cursor.take(22, "local header");
  const auto name_length = cursor.little<std::uint16_t>("local header");
  const auto extra_length = cursor.little<std::uint16_t>("local header");
  const auto local_name = as_text(cursor.take(name_length, "local header"));
  if (local_name != entry.name)
    fail_at(name_, header_offset,
            str("expected member '", entry.name, "', got '", local_name, "'"));
  cursor.take(extra_length, "local header");
  const auto offset = cursor.offset();
  cursor.take(entry.packed, str("member '", entry.name, "'"));
  return offset;
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const ZipEntry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

std::string ZipArchive::name_of(const ZipEntry& entry) const {
  return str(name_, "[", entry.name, "]");
}

ByteSpan ZipArchive::packed_bytes(const ZipEntry& entry) const {
  return bytes_.subspan(entry.data_offset, entry.packed);
}

Bytes ZipArchive::read(const ZipEntry& entry) const {
  const auto packed = packed_bytes(entry);
  auto content = entry.deflated ? inflate_raw(packed, name_of(entry), entry.size)
                                : Bytes(packed.begin(), packed.end());
  if (crc32_of(content) != entry.crc)
    fail_at(name_of(entry), 0, "the checksum differs: the archive is damaged");
  return content;
}

std::uint32_t crc32_of(ByteSpan bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace namid::io
