// SPDX-License-Identifier: Apache-2.0
#include "namid/io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view action, int error) {
  throw ResourceError(str(path.string(), ": cannot ", action, ": ", std::strerror(error)));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  int close() { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

class Temporary {
 public:
  explicit Temporary(const std::filesystem::path& target)
      : path_(target.parent_path() /
              str(".", target.filename().string(), ".tmp.", static_cast<int>(::gettid()))) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!renamed_) ::unlink(path_.c_str());
  }
  const std::filesystem::path& path() const { return path_; }
  void rename_to(const std::filesystem::path& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) fail(target, "replace the file", errno);
    renamed_ = true;
  }

 private:
  std::filesystem::path path_;
  bool renamed_ = false;
};

void write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), std::min(bytes.size(), kBlock * 64));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path, "write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void compare(const std::filesystem::path& temporary, std::span<const std::string_view> parts,
             const std::filesystem::path& path) {
  const Descriptor file(temporary, O_RDONLY);
  if (file.get() < 0) fail(path, "read back", errno);
  std::vector<char> block(kBlock);
  for (auto part : parts) {
    while (!part.empty()) {
      const auto got = ::read(file.get(), block.data(), std::min(block.size(), part.size()));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail(path, "read back", errno);
      if (got == 0 || std::memcmp(block.data(), part.data(), static_cast<std::size_t>(got)) != 0)
        throw ResourceError(str(path.string(), ": what was written does not read back the same; ",
                                "the disk or its controller is at fault"));
      part.remove_prefix(static_cast<std::size_t>(got));
    }
  }
}

void sync_folder(const std::filesystem::path& path) {
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const Descriptor file(folder, O_RDONLY | O_DIRECTORY);
  // Some network file systems refuse to sync a folder; the rename itself is done by then.
  if (file.get() >= 0) ::fsync(file.get());
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path,
                           std::span<const std::string_view> parts, ReadBack read_back) {
  Temporary temporary(path);
  Descriptor file(temporary.path(), O_WRONLY | O_CREAT | O_TRUNC);
  if (file.get() < 0) fail(path, "create a file in its folder", errno);
  for (const auto part : parts) write_all(file.get(), part, path);
  if (::fsync(file.get()) != 0) fail(path, "sync", errno);
  if (file.close() != 0) fail(path, "close", errno);
  if (read_back == ReadBack::yes) compare(temporary.path(), parts, path);
  temporary.rename_to(path);
  sync_folder(path);
}

}  // namespace namid::io
