// SPDX-License-Identifier: Apache-2.0
#include "namid/io/bytes.h"

#include <fstream>
#include <system_error>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {

Bytes read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw DataError(str(path.string(), ": no such file"));
  if (!std::filesystem::is_regular_file(status))
    throw DataError(str(path.string(), ": expected a file, got something else"));
  const auto size = std::filesystem::file_size(path, error);
  if (error) throw DataError(str(path.string(), ": ", error.message()));
  check_size(path.string(), 0, size, max_bytes);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DataError(str(path.string(), ": cannot be opened for reading"));
  Bytes bytes(size);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (static_cast<std::uint64_t>(file.gcount()) != size)
    throw DataError(str(path.string(), ": expected ", size, " bytes, read ", file.gcount()));
  return bytes;
}

std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ByteSpan as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

void fail_at(std::string_view name, std::uint64_t offset, std::string_view message) {
  throw DataError(str(name, ": offset ", offset, ": ", message));
}

void check_size(std::string_view name, std::uint64_t offset, std::uint64_t bytes,
                std::uint64_t max_bytes) {
  if (bytes > max_bytes)
    fail_at(name, offset, str("expected at most ", max_bytes, " bytes, got ", bytes));
}

std::uint64_t checked_product(std::string_view name, std::uint64_t offset, std::uint64_t a,
                              std::uint64_t b) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) fail_at(name, offset, "the shape is too large");
  return product;
}

void Cursor::seek(std::uint64_t offset, std::string_view what) {
  if (offset > bytes_.size())
    fail(str(what, " is expected at offset ", offset, ", the file ends at ", bytes_.size()));
  offset_ = offset;
}

ByteSpan Cursor::take(std::uint64_t count, std::string_view what) {
  if (count > remaining()) fail(str("expected ", count, " bytes of ", what, ", got ", remaining()));
  const auto taken = bytes_.subspan(offset_, count);
  offset_ += count;
  return taken;
}

}  // namespace namid::io
