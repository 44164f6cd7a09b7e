// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/format.h"
#include "namid/report/shapes.h"
#include "namid/report/svg.h"
#include "namid/report/ticks.h"

namespace namid::report {
namespace {

constexpr double kWidth = 480, kLeft = 150, kRight = 360, kNumbers = 374;
constexpr double kRow = 20, kHeading = 20, kAxis = 24, kGroupGap = 6;
constexpr std::size_t kLongestName = 22, kLongestGroup = 64;

std::string value_text(const Score& score) {
  return str(fixed(score.value, 3), " ± ", fixed(score.half_width, 3));
}

double end_of(const std::vector<ScoreGroup>& groups) {
  double end = 0;
  for (const auto& group : groups)
    for (const auto& score : group.scores) end = std::max(end, score.value + score.half_width);
  return end > 0 ? end : 1;
}

double height_of(const std::vector<ScoreGroup>& groups) {
  double height = kAxis;
  for (const auto& group : groups)
    height += (group.name.empty() ? 0 : kHeading) + kGroupGap +
              kRow * static_cast<double>(group.scores.size());
  return height;
}

std::string spoken(const std::string& title, const std::vector<ScoreGroup>& groups) {
  std::string text = title + ".";
  for (const auto& group : groups) {
    if (!group.name.empty()) text += str(" ", group.name, ":");
    for (const auto& score : group.scores)
      text += str(" ", score.name, " ", value_text(score), ";");
  }
  return text;
}

}  // namespace

Html score_chart(const std::string& title, const std::string& unit,
                 const std::vector<ScoreGroup>& groups) {
  Html svg;
  const double end = end_of(groups), height = height_of(groups), floor = height - kAxis;
  const auto x_of = [&](double value) {
    return kLeft + std::clamp(value / end, 0.0, 1.0) * (kRight - kLeft);
  };
  open_svg(svg, kWidth, height, spoken(title, groups), "chart");
  const Ticks ticks = ticks_within(0, end, 5);
  for (const double tick : ticks.values) {
    draw_line(svg, "grid", {x_of(tick), 0}, {x_of(tick), floor});
    draw_text(svg, "tick mid", {x_of(tick), floor + 16}, tick_label(tick, ticks.step));
  }
  draw_text(svg, "tick", {kNumbers, floor + 16}, unit);
  double y = 0;
  for (const auto& group : groups) {
    if (!group.name.empty()) {
      draw_text(svg, "heading", {0, y + 14}, shortened(group.name, kLongestGroup));
      y += kHeading;
    }
    for (const auto& score : group.scores) {
      const double middle = y + kRow / 2;
      draw_text(svg, "tick end", {kLeft - 10, middle + 4}, shortened(score.name, kLongestName));
      draw_line(svg, "whisker " + str("c", score.colour),
                {x_of(score.value - score.half_width), middle},
                {x_of(score.value + score.half_width), middle});
      draw_dot(svg, str("c", score.colour), {x_of(score.value), middle}, 4,
               str(score.name, ": ", value_text(score), " ", unit));
      draw_text(svg, "number", {kNumbers, middle + 4}, value_text(score));
      y += kRow;
    }
    y += kGroupGap;
  }
  return svg.close();
}

}  // namespace namid::report
