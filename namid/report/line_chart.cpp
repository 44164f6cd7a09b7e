// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "namid/core/format.h"
#include "namid/report/shapes.h"
#include "namid/report/svg.h"
#include "namid/report/ticks.h"

namespace namid::report {
namespace {

constexpr double kWidth = 420, kHeight = 236, kTop = 10, kBottom = 38;
constexpr double kLetter = 6.3, kLabelGap = 14;
constexpr std::size_t kLongestName = 20, kMostDots = 60;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double value) { low = std::min(low, value), high = std::max(high, value); }
};

bool is_drawn(const Point& point) {
  return std::isfinite(point.x) && std::isfinite(point.y);
}

std::vector<Series> drawn_series(const LineChart& chart) {
  std::vector<Series> result = chart.series;
  std::erase_if(result, [](const Series& series) {
    return std::none_of(series.points.begin(), series.points.end(), is_drawn);
  });
  return result;
}

std::string value_text(double value, const std::string& unit) {
  const double digits = std::abs(value) >= 1e6 || (value != 0 && std::abs(value) < 1e-3) ? 0 : 1e4;
  return (digits > 0 ? shortest(std::round(value * digits) / digits) : shortest(value)) + unit;
}

struct Frame {
  Ticks x, y;
  double left = 0, right = 0;
  double x_of(double value) const { return left + x.position(value) * (right - left); }
  double y_of(double value) const {
    return kHeight - kBottom - y.position(value) * (kHeight - kTop - kBottom);
  }
};

Frame make_frame(const LineChart& chart, const std::vector<Series>& series) {
  Range x, y;
  std::size_t longest = 0;
  for (const Series& one : series) {
    longest = std::max(longest, count_letters(shortened(one.name, kLongestName)));
    for (const Point& point : one.points) {
      if (is_drawn(point)) x.include(point.x), y.include(point.y);
    }
  }
  if (chart.y_range) y = {chart.y_range->first, chart.y_range->second};
  Frame frame{.x = ticks_within(x.low, x.high, 7), .y = round_ticks(y.low, y.high)};
  std::size_t widest = 0;
  for (const double tick : frame.y.values) {
    widest = std::max(widest, tick_label(tick, frame.y.step).size());
  }
  frame.left = 12 + kLetter * static_cast<double>(widest);
  frame.right = kWidth - 12 - kLetter * static_cast<double>(longest);
  return frame;
}

void draw_axes(Html& svg, const Frame& frame, const LineChart& chart) {
  for (const double tick : frame.y.values) {
    const double y = frame.y_of(tick);
    draw_line(svg, "grid", {frame.left, y}, {frame.right, y});
    draw_text(svg, "tick end", {frame.left - 6, y + 4}, tick_label(tick, frame.y.step));
  }
  const double floor = kHeight - kBottom;
  for (const double tick : frame.x.values) {
    const double x = frame.x_of(tick);
    draw_line(svg, "axis", {x, floor}, {x, floor + 4});
    draw_text(svg, "tick mid", {x, floor + 17}, tick_label(tick, frame.x.step));
  }
  draw_line(svg, "axis", {frame.left, floor}, {frame.right, floor});
  draw_text(svg, "tick mid", {(frame.left + frame.right) / 2, kHeight - 5}, chart.x_name);
}

std::string path_of(const Series& series, const Frame& frame) {
  std::string path;
  bool pen_down = false;
  for (const Point& point : series.points) {
    if (!is_drawn(point)) {
      pen_down = false;
      continue;
    }
    path += str(pen_down ? 'L' : 'M', coordinate(frame.x_of(point.x)), ' ',
                coordinate(frame.y_of(point.y)));
    pen_down = true;
  }
  return path;
}

void draw_series(Html& svg, const Series& series, const Frame& frame, const LineChart& chart) {
  const std::string colour = str("c", series.colour);
  svg.empty("path", {{"class", "line " + colour}, {"d", path_of(series, frame)}});
  if (series.points.size() > kMostDots) return;
  for (const Point& point : series.points) {
    if (!is_drawn(point)) continue;
    const std::string tip = str(series.name, ", ", chart.x_name, ' ', value_text(point.x, ""), ": ",
                                value_text(point.y, chart.unit));
    draw_dot(svg, colour, {frame.x_of(point.x), frame.y_of(point.y)}, 2.4, tip);
  }
}

const Point& last_point(const Series& series) {
  return *std::find_if(series.points.rbegin(), series.points.rend(), is_drawn);
}

/// Heights of the names: at their lines' ends, pushed apart where they would overlap.
std::vector<double> label_heights(const std::vector<Series>& series, const Frame& frame) {
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < series.size(); ++i) {
    order.emplace_back(frame.y_of(last_point(series[i]).y), i);
  }
  std::sort(order.begin(), order.end());
  for (std::size_t i = 1; i < order.size(); ++i) {
    order[i].first = std::max(order[i].first, order[i - 1].first + kLabelGap);
  }
  double ceiling = kHeight - kBottom;
  for (auto entry = order.rbegin(); entry != order.rend(); ++entry) {
    entry->first = std::min(entry->first, ceiling);
    ceiling = entry->first - kLabelGap;
  }
  std::vector<double> heights(series.size());
  for (const auto& [height, index] : order) heights[index] = height;
  return heights;
}

std::string spoken(const LineChart& chart, const std::vector<Series>& series) {
  std::string text = str("Line chart of ", chart.title, " by ", chart.x_name, ".");
  for (const Series& one : series) {
    const Point& first = *std::find_if(one.points.begin(), one.points.end(), is_drawn);
    text += str(" ", one.name, ": from ", value_text(first.y, chart.unit), " to ",
                value_text(last_point(one).y, chart.unit), ".");
  }
  return text;
}

}  // namespace

Html line_chart(const LineChart& chart) {
  const std::vector<Series> series = drawn_series(chart);
  Html svg;
  if (series.empty()) {
    return svg.element("p", str(chart.title, ": no finite value was recorded."),
                       {{"class", "note"}});
  }
  const Frame frame = make_frame(chart, series);
  open_svg(svg, kWidth, kHeight, spoken(chart, series), "chart");
  draw_axes(svg, frame, chart);
  const std::vector<double> heights = label_heights(series, frame);
  for (std::size_t i = 0; i < series.size(); ++i) draw_series(svg, series[i], frame, chart);
  for (std::size_t i = 0; i < series.size(); ++i) {
    const double x = frame.x_of(last_point(series[i]).x) + 8;
    draw_text(svg, str("label c", series[i].colour), {std::min(x, frame.right + 8), heights[i] + 4},
              shortened(series[i].name, kLongestName));
  }
  return svg.close();
}

}  // namespace namid::report
