// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "namid/io/bytes.h"

namespace namid::io {

/// One member of a zip archive, as the central directory describes it.
struct ZipEntry {
  std::string name;
  bool deflated = false;            ///< else stored
  std::uint32_t crc = 0;            ///< CRC-32 of the content
  std::uint64_t packed = 0;         ///< bytes in the archive
  std::uint64_t size = 0;           ///< bytes of the content
  std::uint64_t header_offset = 0;  ///< of what stands before the packed bytes in the archive
  std::uint64_t data_offset = 0;    ///< of the packed bytes
};

/// A zip archive in memory: stored and deflated members, zip64. The bytes must outlive the archive.
/// DataError for anything damaged, encrypted, split, packed by other methods, for two members of
/// one name or of the same bytes, a member outside the file or of more than `max_bytes`.
class ZipArchive {
 public:
  ZipArchive(ByteSpan bytes, std::string name, std::uint64_t max_bytes = kMaxBytes);

  const std::string& name() const { return name_; }
  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// The member called `name`, or null.
  const ZipEntry* find(std::string_view name) const;
  /// "archive.zip[member]", for messages.
  std::string name_of(const ZipEntry& entry) const;
  /// The member's bytes as they lie in the archive (its content if it is stored), unchecked.
  ByteSpan packed_bytes(const ZipEntry& entry) const;
  /// The member's content, its CRC checked.
  Bytes read(const ZipEntry& entry) const;

 private:
  void add_entry(Cursor& directory, std::uint64_t directory_offset);
  std::uint64_t locate_data(const ZipEntry& entry, std::uint64_t end) const;
  void check_names(std::uint64_t directory_offset) const;
  void check_overlaps() const;

  ByteSpan bytes_;
  std::string name_;
  std::uint64_t max_bytes_;
  std::vector<ZipEntry> entries_;
};

/// CRC-32 as zip, gzip and PNG use it.
std::uint32_t crc32_of(ByteSpan bytes);

/// A member to be written.
struct ZipMember {
  std::string name;
  ByteSpan content;
};

struct ZipLayout {
  bool zip64 = false;           ///< throughout; else where sizes need it
  std::uint64_t alignment = 1;  ///< of the members' content in the archive
};

/// A zip archive of stored members, without time stamps: equal members give equal bytes.
Bytes encode_zip(const std::vector<ZipMember>& members, const ZipLayout& layout);
Bytes encode_zip(const std::vector<std::pair<std::string, Bytes>>& members, bool zip64 = false);

}  // namespace namid::io
