// SPDX-License-Identifier: Apache-2.0
#include "namid/report/html.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>

#include "namid/core/format.h"

namespace namid::report {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  ///< 0: no UTF-8
};

CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  std::uint32_t value = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || value > 0x10FFFF || surrogate) return {};
  return {value, length};
}

bool is_unsafe(std::uint32_t c) {
  const bool control = (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0);
  const bool bidirectional = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  return control || bidirectional || c == 0xFFFE || c == 0xFFFF;
}

std::string_view reference(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

void check_tag(std::string_view tag) {
  constexpr std::array<std::string_view, 18> kRefused{
      "script", "iframe", "frame", "object", "embed",         "applet", "base",    "form", "input",
      "button", "link",   "audio", "video",  "foreignObject", "use",    "animate", "set",  "style"};
  const bool refused = std::find(kRefused.begin(), kRefused.end(), tag) != kRefused.end();
  if (!is_name(tag) || refused) throw std::logic_error(str("html: refused element '", tag, "'"));
}

void check_attribute(const Attribute& attribute) {
  const auto& [name, value] = attribute;
  bool fits = is_name(name) && !name.starts_with("on") && name != "srcdoc" && name != "action";
  if (name == "href") fits = value.starts_with('#');
  if (name == "src") fits = value.starts_with("data:image/png;base64,");
  if (!fits) throw std::logic_error(str("html: refused attribute '", name, "'"));
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode(text);
    const std::size_t length = std::max<std::size_t>(point.length, 1);
    if (point.length == 0 || is_unsafe(point.value)) {
      out += kReplacement;
    } else if (const auto entity = reference(text[0]); !entity.empty()) {
      out += entity;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

void Html::start(std::string_view tag, Attributes attributes) {
  check_tag(tag);
  out_ += str('<', tag);
  for (const Attribute& attribute : attributes) {
    check_attribute(attribute);
    out_ += str(' ', attribute.name, "=\"", escape(attribute.value), '"');
  }
}

Html& Html::open(std::string_view tag, Attributes attributes) {
  start(tag, attributes);
  out_ += '>';
  open_.emplace_back(tag);
  return *this;
}

Html& Html::close() {
  if (open_.empty()) throw std::logic_error("html: nothing to close");
  out_ += str("</", open_.back(), '>');
  open_.pop_back();
  return *this;
}

Html& Html::text(std::string_view content) {
  out_ += escape(content);
  return *this;
}

Html& Html::empty(std::string_view tag, Attributes attributes) {
  start(tag, attributes);
  out_ += "/>";
  return *this;
}

Html& Html::element(std::string_view tag, std::string_view content, Attributes attributes) {
  return open(tag, attributes).text(content).close();
}

Html& Html::append(const Html& part) {
  out_ += part.markup();
  return *this;
}

const std::string& Html::markup() const {
  if (!open_.empty()) throw std::logic_error(str("html: element '", open_.back(), "' is open"));
  return out_;
}

std::string html_page(std::string_view title, std::string_view style, const Html& body) {
  Html head;
  head.empty("meta", {{"charset", "utf-8"}})
      .empty("meta", {{"http-equiv", "Content-Security-Policy"},
                      {"content",
                       "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
                       "base-uri 'none'; form-action 'none'"}})
      .empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}})
      .empty("meta", {{"name", "color-scheme"}, {"content", "light dark"}})
      .element("title", title);
  return str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>", head.markup(), "<style>", style,
             "</style></head>\n<body>", body.markup(), "</body>\n</html>\n");
}

}  // namespace namid::report
