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
  bool deflated = false;          ///< else stored
  std::uint32_t crc = 0;          ///< CRC-32 of the content
  std::uint64_t packed = 0;       ///< bytes in the archive
  std::uint64_t size = 0;         ///< bytes of the content
  std::uint64_t data_offset = 0;  ///< of the packed bytes in the archive
};

/// A zip archive in memory: stored and deflated members, zip64. The bytes must outlive the archive.
/// DataError for anything damaged, encrypted, split, packed by other methods, for two members of
/// one name, a member outside the file or of more than `max_bytes`.
class ZipArchive {
 public:
  ZipArchive(ByteSpan bytes, std::string name, std::uint64_t max_bytes = kMaxBytes);

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
  std::uint64_t locate_data(const ZipEntry& entry, std::uint64_t header_offset,
                            std::uint64_t end) const;

  ByteSpan bytes_;
  std::string name_;
  std::uint64_t max_bytes_;
  std::vector<ZipEntry> entries_;
};

/// CRC-32 as zip, gzip and PNG use it.
std::uint32_t crc32_of(ByteSpan bytes);

/// A zip archive of stored members, without time stamps; zip64 where sizes need it, or throughout.
Bytes encode_zip(const std::vector<std::pair<std::string, Bytes>>& members, bool zip64 = false);

}  // namespace namid::io
