// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "namid/core/format.h"
#include "namid/report/shapes.h"
#include "namid/report/svg.h"
#include "namid/report/ticks.h"

namespace namid::report {
namespace {

struct Frame {
  static constexpr double kWidth = 380, kHeight = 150, kLeft = 34, kRight = 8, kTop = 8, kFoot = 34;
  static double x(double part) { return kLeft + part * (kWidth - kLeft - kRight); }
  static double y(double part) { return kHeight - kFoot - part * (kHeight - kFoot - kTop); }
};

void draw_bar(Html& svg, int colour, Point low_left, Point high_right, const std::string& tip) {
  svg.open("rect", {{"class", str("bar c", colour)},
                    {"x", coordinate(low_left.x)},
                    {"y", coordinate(high_right.y)},
                    {"width", coordinate(std::max(1.0, high_right.x - low_left.x - 1))},
                    {"height", coordinate(low_left.y - high_right.y)}});
  svg.element("title", tip).close();
}

}  // namespace

std::vector<std::int64_t> bin_counts(const std::vector<double>& values, double high, int bins) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(bins), 0);
  for (const double value : values) {
    if (!(value >= 0)) continue;
    const int bin = std::min(bins - 1, static_cast<int>(value / high * bins));
    ++counts[static_cast<std::size_t>(bin)];
  }
  return counts;
}

Html histogram(const Histogram& chart) {
  const auto counts = bin_counts(chart.values, chart.high, chart.bins);
  const auto most = std::max<std::int64_t>(1, *std::max_element(counts.begin(), counts.end()));
  Html svg;
  open_svg(svg, Frame::kWidth, Frame::kHeight,
           str(chart.title, ": ", chart.values.size(), " values from 0 to ", shortest(chart.high)),
           "chart");
  const Ticks across = ticks_within(0, chart.high, 5);
  const Ticks up = round_ticks(0, static_cast<double>(most), 3);
  for (const double tick : up.values) {
    const double y = Frame::y(up.position(tick));
    draw_line(svg, "grid", {Frame::x(0), y}, {Frame::x(1), y});
    draw_text(svg, "tick end", {Frame::x(0) - 5, y + 4}, tick_label(tick, up.step));
  }
  const double width = chart.high / chart.bins;
  for (int bin = 0; bin < chart.bins; ++bin) {
    const auto count = counts[static_cast<std::size_t>(bin)];
    if (count == 0) continue;
    const auto tip = str(count, " of ", chart.values.size(), " in [", shortest(bin * width), ", ",
                         shortest((bin + 1) * width), bin + 1 == chart.bins ? "]" : ")");
    draw_bar(
        svg, chart.colour, {Frame::x(1.0 * bin / chart.bins), Frame::y(0)},
        {Frame::x((bin + 1.0) / chart.bins), Frame::y(up.position(static_cast<double>(count)))},
        tip);
  }
  for (const double tick : across.values)
    draw_text(svg, "tick mid", {Frame::x(across.position(tick)), Frame::y(0) + 15},
              tick_label(tick, across.step));
  draw_text(svg, "tick mid", {Frame::x(0.5), Frame::kHeight - 4}, chart.x_name);
  return svg.close();
}

}  // namespace namid::report
