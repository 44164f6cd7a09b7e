// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "namid/core/format.h"

namespace namid::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::uint64_t kLongestHeader = 1 << 16;
constexpr std::size_t kMostSizes = 32;

constexpr std::array<std::pair<std::string_view, NpyType>, 11> kCodes{{{"b1", NpyType::b1},
                                                                       {"u1", NpyType::u1},
                                                                       {"i1", NpyType::i1},
                                                                       {"u2", NpyType::u2},
                                                                       {"i2", NpyType::i2},
                                                                       {"u4", NpyType::u4},
                                                                       {"i4", NpyType::i4},
                                                                       {"u8", NpyType::u8},
                                                                       {"i8", NpyType::i8},
                                                                       {"f4", NpyType::f4},
                                                                       {"f8", NpyType::f8}}};

/// The header's Python literal, of the one form that numpy writes.
class Literal {
 public:
  Literal(std::string_view text, const std::string& name, std::uint64_t start)
      : text_(text), name_(name), start_(start) {}

  bool accept(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(str("expected '", c, "' in the header"));
  }
  std::string_view quoted() {
    skip_blanks();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"'))
      fail("expected a quoted text in the header (structured types are not supported)");
    const auto end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) fail("expected the end of a quoted text in the header");
    const auto text = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return text;
  }
  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}})
      if (text_.substr(at_).starts_with(word)) {
        at_ += std::string_view(word).size();
        return value;
      }
    fail("expected True or False in the header");
  }
  std::vector<std::int64_t> sizes() {
    std::vector<std::int64_t> shape;
    expect('(');
    while (!accept(')')) {
      skip_blanks();
      std::int64_t size = 0;
      const char* end = text_.data() + text_.size();
      const auto [rest, error] = std::from_chars(text_.data() + at_, end, size);
      if (error != std::errc() || size < 0) fail("expected a size in the header's shape");
      at_ = static_cast<std::size_t>(rest - text_.data());
      shape.push_back(size);
      if (shape.size() > kMostSizes) fail(str("expected at most ", kMostSizes, " dimensions"));
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return shape;
  }
  void end() {
    skip_blanks();
    if (at_ != text_.size()) fail("expected the end of the header");
  }
  std::uint64_t offset() const { return start_ + at_; }
  [[noreturn]] void fail(std::string_view message) const { fail_at(name_, offset(), message); }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  std::string_view text_;
  const std::string& name_;
  std::uint64_t start_;
  std::size_t at_ = 0;
};

void parse_dictionary(Literal& text, NpyLayout& layout) {
  constexpr std::array<std::string_view, 3> kKeys{"descr", "fortran_order", "shape"};
  std::array<bool, 3> seen{};
  text.expect('{');
  while (!text.accept('}')) {
    const auto key = text.quoted();
    const auto found = std::find(kKeys.begin(), kKeys.end(), key) - kKeys.begin();
    const auto index = static_cast<std::size_t>(found);
    if (index == kKeys.size()) text.fail(str("unknown key '", key, "' in the header"));
    if (std::exchange(seen[index], true)) text.fail(str("key '", key, "' stands twice"));
    text.expect(':');
    if (index == 0) {
      layout.descr_offset = text.offset();
      layout.descr = text.quoted();
    } else if (index == 1) {
      layout.fortran_order = text.boolean();
    } else {
      layout.shape = text.sizes();
    }
    if (!text.accept(',')) {
      text.expect('}');
      break;
    }
  }
  text.end();
  for (std::size_t i = 0; i < kKeys.size(); ++i)
    if (!seen[i]) text.fail(str("expected the key '", kKeys[i], "' in the header"));
}

}  // namespace

NpyDescr parse_descr(std::string_view descr, const std::string& name, std::uint64_t offset) {
  if (descr.find('O') != std::string_view::npos)
    fail_at(
        name, offset,
        "the array holds Python objects (dtype object), which are never unpickled; save it with "
        "a plain dtype such as uint8");
  const bool has_order = !descr.empty() && std::string_view("<>|=").find(descr[0]) != descr.npos;
  const auto code = has_order ? descr.substr(1) : descr;
  for (const auto& [known, type] : kCodes)
    if (known == code) return {type, descr[0] == '>'};
  fail_at(name, offset,
          str("expected a dtype of bool, int8 to int64, uint8 to uint64, float32 or float64, got '",
              descr, "'"));
}

NpyLayout parse_npy_layout(ByteSpan bytes, const std::string& name) {
  Cursor cursor(bytes, name);
  if (as_text(cursor.take(kMagic.size(), "NPY magic number")) != kMagic)
    fail_at(name, 0, "expected an NPY file, which starts with \\x93NUMPY");
  const auto major = cursor.little<std::uint8_t>("NPY version");
  cursor.take(1, "NPY version");
  if (major < 1 || major > 3) fail_at(name, 6, str("expected NPY version 1 to 3, got ", major));
  const std::uint64_t length = major == 1 ? cursor.little<std::uint16_t>("NPY header length")
                                          : cursor.little<std::uint32_t>("NPY header length");
  check_size(name, 8, length, kLongestHeader);
  const auto start = cursor.offset();
  Literal text(as_text(cursor.take(length, "NPY header")), name, start);
  NpyLayout layout{.header_offset = start};
  parse_dictionary(text, layout);
  layout.data_offset = cursor.offset();
  return layout;
}

std::uint64_t npy_data_bytes(const NpyLayout& layout, std::uint64_t element,
                             const std::string& name, std::uint64_t max_bytes) {
  auto bytes = element;
  for (const auto size : layout.shape)
    bytes = checked_product(name, layout.header_offset, bytes, static_cast<std::uint64_t>(size));
  check_size(name, layout.header_offset, bytes, max_bytes);
  return bytes;
}

NpyHeader parse_npy_header(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes) {
  auto layout = parse_npy_layout(bytes, name);
  NpyHeader header{.descr = parse_descr(layout.descr, name, layout.descr_offset),
                   .fortran_order = layout.fortran_order,
                   .shape = {},
                   .data_offset = layout.data_offset};
  header.data_bytes = npy_data_bytes(layout, size_of(header.descr.type), name, max_bytes);
  header.shape = std::move(layout.shape);
  return header;
}

Bytes encode_npy_header(std::string_view descr, const std::vector<std::int64_t>& shape) {
  std::string sizes;
  for (const auto size : shape) sizes += str(size, ", ");
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  if (shape.size() == 1) sizes.resize(sizes.size() - 1);
  std::string text = str(kMagic, '\x01', '\0', "  {'descr': '", descr,
                         "', 'fortran_order': False, 'shape': (", sizes, "), }");
  text.append(63 - text.size() % 64, ' ').push_back('\n');
  text[8] = static_cast<char>((text.size() - 10) & 0xff);
  text[9] = static_cast<char>((text.size() - 10) >> 8);
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace namid::io
