// SPDX-License-Identifier: Apache-2.0
#include "namid/io/idx.h"

#include <algorithm>

#include "namid/core/format.h"
#include "namid/io/gzip.h"

namespace namid::io {
namespace {

constexpr unsigned kUnsignedByte = 0x08;
constexpr unsigned kMostSizes = 4;
constexpr std::size_t kLongestHeader = 4 + 4 * kMostSizes;

struct Header {
  std::vector<std::int64_t> shape;
  std::uint64_t header_bytes = 0;
  std::uint64_t data_bytes = 1;
};

Header parse_header(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  Cursor cursor(bytes, name);
  const auto magic = cursor.big<std::uint32_t>("IDX magic number");
  const auto type = magic >> 8;
  const auto sizes = magic & 0xff;
  if (type > 0xff) fail_at(name, 0, "expected an IDX file, whose first two bytes are 0");
  if (type != kUnsignedByte)
    fail_at(name, 2, str("expected element type 8 (unsigned byte), got ", type));
  if (sizes < 1 || sizes > kMostSizes)
    fail_at(name, 3, str("expected 1 to ", kMostSizes, " dimensions, got ", sizes));
  Header header;
  for (unsigned i = 0; i < sizes; ++i) {
    const auto size = cursor.big<std::uint32_t>("IDX sizes");
    header.shape.push_back(size);
    header.data_bytes = checked_product(name, 4, header.data_bytes, size);
  }
  check_size(name, 4, header.data_bytes, max_bytes);
  header.header_bytes = cursor.offset();
  return header;
}

IdxArray parse_gzipped(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  const auto head = gunzip_head(bytes, name, kLongestHeader);
  auto header = parse_header(head, name, max_bytes);
  auto data = gunzip(bytes, name, header.header_bytes + header.data_bytes);
  data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(header.header_bytes));
  return {std::move(header.shape), std::move(data)};
}

}  // namespace

IdxArray parse_idx(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  if (is_gzip(bytes)) return parse_gzipped(bytes, name, max_bytes);
  auto header = parse_header(bytes, name, max_bytes);
  const auto data = bytes.subspan(header.header_bytes);
  if (data.size() != header.data_bytes)
    fail_at(name, header.header_bytes,
            str("expected ", header.data_bytes, " bytes of data, got ", data.size()));
  return {std::move(header.shape), Bytes(data.begin(), data.end())};
}

Bytes encode_idx(const IdxArray& array) {
  Bytes out{std::byte{0}, std::byte{0}, std::byte{kUnsignedByte}, std::byte(array.shape.size())};
  for (const auto size : array.shape)
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(std::byte(size >> shift & 0xff));
  out.insert(out.end(), array.data.begin(), array.data.end());
  return out;
}

}  // namespace namid::io
