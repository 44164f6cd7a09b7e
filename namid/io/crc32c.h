// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace namid::io {

/// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected), RFC 3720 appendix B.4. `previous`
/// continues a checksum: crc32c(b, crc32c(a)) == crc32c(a + b).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous = 0);

}  // namespace namid::io
