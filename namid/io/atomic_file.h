// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

namespace namid::io {

/// Whether the bytes are read back and compared before the file takes its name.
enum class ReadBack { no, yes };

/// Replaces `path` by the concatenation of `parts`: the bytes go to `.<name>.tmp.<thread id>` in
/// the same folder, are synced, read back if asked for, and renamed; then the folder is synced. A
/// reader sees the old file or the new one, never a mixture. Throws ResourceError with path and
/// cause; then the old file is unchanged and no temporary is left.
void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::string_view> parts, ReadBack read_back);

inline void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  write_file_atomically(path, std::span(&bytes, 1), ReadBack::no);
}

}  // namespace namid::io
