// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "namid/io/npy.h"
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

 private:
  std::string name_;
  std::uint64_t max_bytes_;
  ZipArchive archive_;
};

/// The .npz file for named arrays, stored without compression.
Bytes encode_npz(const std::vector<std::pair<std::string, NpyArray>>& arrays);

}  // namespace namid::io
