// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "namid/io/npy.h"
#include "namid/io/npy_text.h"
#include "namid/io/zip.h"

namespace namid::io {

/// An .npz file: a zip archive of .npy files, stored or deflated. The bytes must outlive it.
class NpzFile {
 public:
  /// DataError as for ZipArchive.
  NpzFile(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes = kMaxBytes);

  /// Names of the arrays, without ".npy", in the file's order.
  std::vector<std::string> names() const;
  bool contains(const std::string& array) const;
  /// "file.npz[array.npy]", for messages.
  std::string name_of(const std::string& array) const;
  /// Reads one array. DataError if there is none of that name (the message lists those there are)
  /// or it is damaged.
  NpyArray read(const std::string& array) const;
  /// Reads an array of texts; errors as for read.
  NpyText read_text(const std::string& array) const;

 private:
  Bytes bytes_of(const std::string& array) const;

  std::string name_;
  std::uint64_t max_bytes_;
  ZipArchive archive_;
};

/// What a member of an .npz file may be.
using NpzMember = std::variant<NpyArray, NpyText>;
using NpzMembers = std::vector<std::pair<std::string, NpzMember>>;

/// The .npz file for named arrays, stored without compression and without time stamps: equal arrays
/// give equal bytes.
Bytes encode_npz(const NpzMembers& members);

/// Writes that file atomically. ResourceError.
void write_npz(const std::filesystem::path& path, const NpzMembers& members);

}  // namespace namid::io
