// SPDX-License-Identifier: Apache-2.0
#include "namid/report/shapes.h"

#include <algorithm>

#include "namid/core/format.h"

namespace namid::report {
namespace {

bool starts_letter(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

}  // namespace

void open_svg(Html& svg, double width, double height, const std::string& label,
              const std::string& css_class) {
  svg.open("svg", {{"xmlns", "http://www.w3.org/2000/svg"},
                   {"class", css_class},
                   {"viewBox", str("0 0 ", coordinate(width), ' ', coordinate(height))},
                   {"role", "img"},
                   {"aria-label", label}});
}

void draw_line(Html& svg, const std::string& css_class, Point from, Point to) {
  svg.empty("line", {{"class", css_class},
                     {"x1", coordinate(from.x)},
                     {"y1", coordinate(from.y)},
                     {"x2", coordinate(to.x)},
                     {"y2", coordinate(to.y)}});
}

void draw_text(Html& svg, const std::string& css_class, Point at, std::string_view text) {
  svg.element("text", text,
              {{"class", css_class}, {"x", coordinate(at.x)}, {"y", coordinate(at.y)}});
}

void draw_dot(Html& svg, const std::string& css_class, Point centre, double radius,
              const std::string& tip) {
  svg.open("circle", {{"class", css_class},
                      {"cx", coordinate(centre.x)},
                      {"cy", coordinate(centre.y)},
                      {"r", coordinate(radius)}});
  if (!tip.empty()) svg.element("title", tip);
  svg.close();
}

std::string coordinate(double value) {
  std::string text = fixed(value, 1);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::size_t count_letters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_letter));
}

std::string shortened(std::string_view text, std::size_t most) {
  if (count_letters(text) <= most) return std::string(text);
  std::size_t letters = 0, end = 0;
  while (end < text.size() && (letters += starts_letter(text[end])) < most) ++end;
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace namid::report
