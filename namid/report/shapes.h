// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "namid/report/html.h"
#include "namid/report/svg.h"

namespace namid::report {

// Strokes shared by the charts. Positions are in units of the view box.

/// Opens an <svg> of this view box, read aloud as one picture.
void open_svg(Html& svg, double width, double height, const std::string& label,
              const std::string& css_class);
void draw_line(Html& svg, const std::string& css_class, Point from, Point to);
void draw_text(Html& svg, const std::string& css_class, Point at, std::string_view text);
void draw_dot(Html& svg, const std::string& css_class, Point centre, double radius,
              const std::string& tip);

/// One decimal, without a trailing ".0".
std::string coordinate(double value);

/// Code points of UTF-8 text.
std::size_t count_letters(std::string_view text);
/// At most `most` letters; the last one is "…" if some were cut off.
std::string shortened(std::string_view text, std::size_t most);

}  // namespace namid::report
