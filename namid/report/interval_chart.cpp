// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/format.h"
#include "namid/report/shapes.h"
#include "namid/report/svg.h"
#include "namid/report/ticks.h"

namespace namid::report {
namespace {

constexpr double kWidth = 420, kLeft = 74, kRight = 282, kNumbers = 298;
constexpr double kRow = 20, kHeading = 20, kAxis = 24, kGroupGap = 6;
constexpr std::size_t kLongestName = 11, kLongestGroup = 56;

double x_of(double fraction) {
  return kLeft + std::clamp(fraction, 0.0, 1.0) * (kRight - kLeft);
}

std::string tip_of(const Interval& interval) {
  std::string tip = str(interval.name, ": ", percent_with_bounds(interval.value, interval.bounds));
  if (interval.bounds && interval.confidence > 0) {
    tip += str(", ", shortest(100 * interval.confidence), " % interval");
  }
  return tip;
}

void draw_interval(Html& svg, const Interval& interval, double y) {
  const std::string colour = str("c", interval.colour);
  draw_text(svg, "tick end", {kLeft - 10, y + 4}, shortened(interval.name, kLongestName));
  draw_line(svg, "grid", {kLeft, y}, {kRight, y});
  if (interval.bounds) {
    const auto [lower, upper] = *interval.bounds;
    draw_line(svg, "whisker " + colour, {x_of(lower), y}, {x_of(upper), y});
    for (const double end : {lower, upper}) {
      draw_line(svg, "whisker " + colour, {x_of(end), y - 4}, {x_of(end), y + 4});
    }
  }
  draw_dot(svg, colour, {x_of(interval.value), y}, 4, tip_of(interval));
  draw_text(svg, "number", {kNumbers, y + 4}, percent_with_bounds(interval.value, interval.bounds));
}

double height_of(const std::vector<IntervalGroup>& groups) {
  double height = kAxis;
  for (const IntervalGroup& group : groups) {
    height += (group.name.empty() ? 0 : kHeading) + kGroupGap;
    height += kRow * static_cast<double>(group.intervals.size());
  }
  return height;
}

void draw_axis(Html& svg, double floor) {
  for (const double tick : round_ticks(0, 1).values) {
    draw_line(svg, "grid", {x_of(tick), 0}, {x_of(tick), floor});
    draw_text(svg, "tick mid", {x_of(tick), floor + 16}, fixed(100 * tick, 0));
  }
  draw_text(svg, "tick", {kNumbers, floor + 16}, "%");
}

std::string spoken(const std::string& title, const std::vector<IntervalGroup>& groups) {
  std::string text = title + ".";
  for (const IntervalGroup& group : groups) {
    if (!group.name.empty()) text += str(" ", group.name, ":");
    for (const Interval& interval : group.intervals) text += str(" ", tip_of(interval), ";");
  }
  return text;
}

}  // namespace

Html interval_chart(const std::string& title, const std::vector<IntervalGroup>& groups) {
  Html svg;
  const double height = height_of(groups);
  open_svg(svg, kWidth, height, spoken(title, groups), "chart");
  draw_axis(svg, height - kAxis);
  double y = 0;
  for (const IntervalGroup& group : groups) {
    if (!group.name.empty()) {
      draw_text(svg, "heading", {0, y + 14}, shortened(group.name, kLongestGroup));
      y += kHeading;
    }
    for (const Interval& interval : group.intervals) {
      draw_interval(svg, interval, y + kRow / 2);
      y += kRow;
    }
    y += kGroupGap;
  }
  return svg.close();
}

Html accuracy_pair(double natural, double robust) {
  constexpr double kPairWidth = 120, kPairHeight = 14, kMargin = 5;
  const auto x = [&](double fraction) {
    return kMargin + std::clamp(fraction, 0.0, 1.0) * (kPairWidth - 2 * kMargin);
  };
  const double y = kPairHeight / 2;
  Html svg;
  open_svg(svg, kPairWidth, kPairHeight,
           str("natural ", percent(natural), ", robust ", percent(robust)), "pair");
  draw_line(svg, "grid", {x(0), y}, {x(1), y});
  draw_line(svg, "join", {x(robust), y}, {x(natural), y});
  draw_dot(svg, "c0", {x(natural), y}, 4, str("natural ", percent(natural)));
  draw_dot(svg, "c1", {x(robust), y}, 4, str("robust ", percent(robust)));
  return svg.close();
}

std::string percent(double fraction) {
  return fixed(100 * fraction, 1) + " %";
}

std::string percent_with_bounds(double value,
                                const std::optional<std::pair<double, double>>& bounds) {
  if (!bounds) return percent(value);
  return str(percent(value), " [", fixed(100 * bounds->first, 1), ", ",
             fixed(100 * bounds->second, 1), "]");
}

}  // namespace namid::report
