// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npy_text.h"

#include <algorithm>
#include <charconv>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/npy_header.h"

namespace namid::io {
namespace {

constexpr std::uint64_t kLongestText = 1 << 28;
constexpr std::size_t kCodeBytes = 4;

bool is_code_point(std::uint32_t code) {
  return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

/// RFC 3629, Sec. 3; a longer form than needed is refused.
std::u32string from_utf8(std::string_view text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    std::uint32_t code = length == 1 ? first : first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length && at + i < text.size(); ++i)
      code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3f);
    std::string again;
    append_utf8(again, code);
    if (!is_code_point(code) || again != text.substr(at, length))
      throw DataError(str("npy: expected UTF-8 at byte ", at, " of a text"));
    out.push_back(code);
    at += length;
  }
  return out;
}

/// What stands behind the dtype's letter: characters per text.
struct TextType {
  bool wide = false, big_endian = false;
  std::uint64_t length = 0;
  std::uint64_t bytes() const { return length * (wide ? kCodeBytes : 1); }
};

TextType text_type(const NpyLayout& layout, const std::string& name) {
  const std::string_view descr = layout.descr;
  TextType type;
  const auto letter = descr.find_first_of("US");
  const auto* end = descr.data() + descr.size();
  if (letter == 0 || (letter == 1 && std::string_view("<>|=").find(descr[0]) != descr.npos)) {
    type.wide = descr[letter] == 'U';
    type.big_endian = descr[0] == '>';
    const auto [rest, error] = std::from_chars(descr.data() + letter + 1, end, type.length);
    if (error == std::errc() && rest == end && type.length <= kLongestText) return type;
  }
  fail_at(name, layout.descr_offset,
          str("expected a dtype of text, '<U8' or '|S8', got '", descr, "'"));
}

std::string read_wide(ByteSpan data, bool big_endian, const std::string& name) {
  std::string out;
  Cursor cursor(data, name);
  while (cursor.remaining() > 0) {
    const auto code =
        big_endian ? cursor.big<std::uint32_t>("text") : cursor.little<std::uint32_t>("text");
    if (!is_code_point(code)) cursor.fail(str("expected a code point, got ", code));
    append_utf8(out, code);
  }
  return out;
}

}  // namespace

NpyText npy_text(std::string_view text) {
  return {.shape = {}, .values = {std::string(text)}};
}

NpyText parse_npy_text(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  const auto layout = parse_npy_layout(bytes, name);
  const auto type = text_type(layout, name);
  const auto size = npy_data_bytes(layout, type.bytes(), name, max_bytes);
  const auto count = npy_data_bytes(layout, 1, name, max_bytes);
  if (layout.fortran_order && layout.shape.size() > 1)
    fail_at(name, layout.descr_offset, "expected texts in C order, got Fortran order");
  if (bytes.size() - layout.data_offset != size)
    fail_at(name, layout.data_offset,
            str("expected ", size, " bytes of data, got ", bytes.size() - layout.data_offset));
  if (count > bytes.size())  // texts of no characters take no bytes here, but memory
    fail_at(name, layout.descr_offset, str("expected fewer texts, got ", count));
  NpyText out{.shape = layout.shape, .values = {}};
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto data = bytes.subspan(layout.data_offset + i * type.bytes(), type.bytes());
    auto text = type.wide ? read_wide(data, type.big_endian, name) : std::string(as_text(data));
    text.erase(text.find_last_not_of('\0') + 1);
    out.values.push_back(std::move(text));
  }
  return out;
}

Bytes encode_npy_text(const NpyText& text) {
  std::vector<std::u32string> values;
  std::size_t length = 1;
  for (const auto& value : text.values) {
    values.push_back(from_utf8(value));
    length = std::max(length, values.back().size());
  }
  auto out = encode_npy_header(str("<U", length), text.shape);
  for (auto& value : values) {
    value.resize(length, U'\0');
    for (const auto code : value)
      for (std::size_t i = 0; i < kCodeBytes; ++i)
        out.push_back(std::byte(static_cast<std::uint32_t>(code) >> (8 * i) & 0xff));
  }
  return out;
}

}  // namespace namid::io
