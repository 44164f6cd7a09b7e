// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "namid/io/bytes.h"

namespace namid::io {

/// Whether the bytes start as a gzip file does.
bool is_gzip(ByteSpan bytes);

/// The first `count` inflated bytes (fewer if the file holds fewer); the rest is not inflated.
/// DataError for a corrupt stream.
Bytes gunzip_head(ByteSpan bytes, const std::string& name, std::size_t count);

/// Exactly `size` inflated bytes. DataError if the stream is corrupt, shorter or longer; of a
/// longer one (a bomb) no more than one byte beyond `size` is inflated. The caller has checked
/// `size`.
Bytes gunzip(ByteSpan bytes, const std::string& name, std::uint64_t size);

/// Inflates a raw deflate stream of exactly `size` bytes, as zip members are; same errors.
Bytes inflate_raw(ByteSpan bytes, const std::string& name, std::uint64_t size);

/// One gzip member, at zlib's default level, without a time stamp.
Bytes gzip(ByteSpan bytes);

}  // namespace namid::io
