// SPDX-License-Identifier: Apache-2.0
#include "namid/io/text.h"

#include <cstdint>

namespace namid::io {
namespace {

unsigned byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

/// Length of the well-formed sequence that starts the text; 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto first = byte_at(text, 0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  std::uint32_t code = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte_at(text, i) & 0x3f);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool control = code < 0xa0 || code == 0x2028 || code == 0x2029 ||
                       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  const bool none = code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
  return overlong || control || none ? 0 : length;
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr auto kDigits = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const auto length = sequence_length(text);
    if (length == 0) {
      out += {'\\', 'x', kDigits[byte_at(text, 0) >> 4], kDigits[byte_at(text, 0) & 15]};
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace namid::io
