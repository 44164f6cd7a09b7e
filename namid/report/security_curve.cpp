// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"
#include "namid/report/shapes.h"
#include "namid/report/svg.h"
#include "namid/report/ticks.h"

namespace namid::report {
namespace {

using nlohmann::json;

constexpr double kPlotWidth = 560, kPlotHeight = 300, kPlotLeft = 44, kPlotRight = 548;
constexpr double kPlotTop = 10, kPlotFloor = 258, kTail = 36, kCap = 4;
constexpr std::size_t kTableRows = 12;

/// A share at a radius with an interval.
struct Step {
  double epsilon = 0, robust = 0, lower = 0, upper = 0;
};

std::vector<Step> steps_of(const json& list) {
  std::vector<Step> steps;
  for (const auto& row : list) {
    const auto epsilon = number_at(row, "epsilon"), robust = number_at(row, "robust");
    const auto lower = number_at(row, "lower"), upper = number_at(row, "upper");
    if (epsilon && robust && lower && upper) steps.push_back({*epsilon, *robust, *lower, *upper});
  }
  return steps;
}

/// The plane of the chart: radii to the right, a tail for images never broken, shares upwards.
struct Plane {
  Ticks radii;
  double end = kPlotRight - kTail;
  double x(double epsilon) const { return kPlotLeft + radii.position(epsilon) * (end - kPlotLeft); }
  double y(double share) const {
    return kPlotFloor - std::clamp(share, 0.0, 1.0) * (kPlotFloor - kPlotTop);
  }
};

Plane plane_of(const std::vector<Step>& steps, const std::vector<Step>& anchors) {
  double largest = 0;
  for (const auto* list : {&steps, &anchors})
    for (const auto& step : *list) largest = std::max(largest, step.epsilon);
  return {.radii = ticks_within(0, largest > 0 ? largest : 1, 7)};
}

void draw_plane(Html& svg, const Plane& plane, const std::string& norm) {
  for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    draw_line(svg, "grid", {kPlotLeft, plane.y(share)}, {kPlotRight, plane.y(share)});
    draw_text(svg, "tick end", {kPlotLeft - 6, plane.y(share) + 4}, fixed(100 * share, 0));
  }
  for (const double tick : plane.radii.values) {
    draw_line(svg, "axis", {plane.x(tick), kPlotFloor}, {plane.x(tick), kPlotFloor + 4});
    draw_text(svg, "tick mid", {plane.x(tick), kPlotFloor + 17},
              tick_label(tick, plane.radii.step));
  }
  draw_line(svg, "axis", {kPlotLeft, kPlotFloor}, {plane.end, kPlotFloor});
  draw_text(svg, "tick mid", {(kPlotLeft + plane.end) / 2, kPlotHeight - 6},
            str("epsilon (", norm, "); robust accuracy in %"));
}

/// A stairway: level, then down.
std::string stairs(const std::vector<Step>& steps, const Plane& plane, double Step::*share) {
  std::string path;
  for (const auto& step : steps) {
    const auto x = coordinate(plane.x(step.epsilon)), y = coordinate(plane.y(step.*share));
    path += path.empty() ? str('M', x, ' ', y) : str('H', x, 'V', y);
  }
  return path;
}

/// The lower stairway from right to left, which closes the band.
std::string stairs_back(const std::vector<Step>& steps, const Plane& plane) {
  std::string path = str('V', coordinate(plane.y(steps.back().lower)));
  for (auto i = steps.size() - 1; i > 0; --i)
    path += str('H', coordinate(plane.x(steps[i].epsilon)), 'V',
                coordinate(plane.y(steps[i - 1].lower)));
  return path + str('H', coordinate(plane.x(steps.front().epsilon)), 'Z');
}

void draw_curve(Html& svg, const std::vector<Step>& steps, const Plane& plane, double censored) {
  svg.open("path", {{"class", "band"},
                    {"d", stairs(steps, plane, &Step::upper) + stairs_back(steps, plane)}});
  svg.element("title", "simultaneous band").close();
  svg.empty("path", {{"class", "line c0"}, {"d", stairs(steps, plane, &Step::robust)}});
  if (!(censored > 0)) return;
  const double y = plane.y(steps.back().robust);
  svg.open(
      "path",
      {{"class", "line c0"},
       {"stroke-dasharray", "2 5"},
       {"d", str('M', coordinate(plane.end), ' ', coordinate(y), 'H', coordinate(kPlotRight))}});
  svg.element("title", str(fixed(censored, 0), " images were never broken")).close();
}

void draw_anchor(Html& svg, const Step& anchor, const Plane& plane) {
  const double x = plane.x(anchor.epsilon);
  draw_line(svg, "whisker c1", {x, plane.y(anchor.lower)}, {x, plane.y(anchor.upper)});
  for (const double end : {anchor.lower, anchor.upper})
    draw_line(svg, "whisker c1", {x - kCap, plane.y(end)}, {x + kCap, plane.y(end)});
  draw_dot(svg, "c1", {x, plane.y(anchor.robust)}, 4,
           str("anchor at ", anchor.epsilon, ": ",
               percent_with_bounds(anchor.robust, std::pair(anchor.lower, anchor.upper))));
}

std::string spoken(const std::vector<Step>& steps, std::size_t anchors, double censored) {
  return str("Security curve. Robust accuracy falls from ", percent(steps.front().robust),
             " at epsilon 0 to ", percent(steps.back().robust), " at ", steps.back().epsilon, ". ",
             fixed(censored, 0), " images were never broken. Anchors: ", anchors,
             ". The numbers stand in the table below.");
}

Html chart_of(const json& curve, const std::vector<Step>& steps, const std::vector<Step>& anchors) {
  const double censored = number_at(curve, "censored").value_or(0);
  const auto plane = plane_of(steps, anchors);
  Html svg;
  open_svg(svg, kPlotWidth, kPlotHeight, spoken(steps, anchors.size(), censored), "chart");
  draw_plane(svg, plane, text_at(curve, "norm"));
  draw_curve(svg, steps, plane, censored);
  for (const auto& anchor : anchors) draw_anchor(svg, anchor, plane);
  return svg.close();
}

Cell share_cell(const Step& step) {
  return accuracy_cell(Accuracy{.value = step.robust, .bounds = std::pair(step.lower, step.upper)});
}

std::string radius_text(double epsilon) {
  return epsilon >= 100 ? fixed(epsilon, 1) : fixed(epsilon, 4);
}

void add_points(Html& page, const std::vector<Step>& steps) {
  std::vector<Cells> rows;
  const auto count = std::min(kTableRows, steps.size());
  for (std::size_t k = 0; k < count; ++k) {
    const auto& step = steps[count == 1 ? 0 : k * (steps.size() - 1) / (count - 1)];
    rows.push_back({words(radius_text(step.epsilon)), share_cell(step)});
  }
  add_table(page, "Points of the curve, with the band; all of them: curve.csv",
            {words("epsilon"), number("robust")}, rows);
}

void add_anchor_table(Html& page, const json& anchors, const std::vector<Step>& steps) {
  if (steps.empty() || steps.size() != anchors.size()) return;
  std::vector<Cells> rows;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& anchor = anchors[i];
    rows.push_back({words(radius_text(steps[i].epsilon)), words(text_at(anchor, "attack")),
                    share_cell(steps[i]), number(percent(number_at(anchor, "curve").value_or(0))),
                    number(percent(number_at(anchor, "disagreement").value_or(0))),
                    number(str(text_at(anchor, "broken"), " of ", text_at(anchor, "attacked")))});
  }
  add_table(page,
            "Anchors: an attack of fixed budget on what the searches left at that radius; interval "
            "of that radius alone",
            {words("epsilon"), words("attack"), number("robust"), number("searches alone"),
             number("disagreement"), number("newly broken")},
            rows);
}

void add_search_table(Html& page, const json& attacks) {
  std::vector<Cells> rows;
  for (const auto& attack : attacks)
    rows.push_back({words(text_at(attack, "name")), number(text_at(attack, "attacked")),
                    number(text_at(attack, "broken")), number(text_at(attack, "best_for")),
                    number(number_at(attack, "median"), 4)});
  add_table(page, "Attacks; smallest norm of all: images for which no other found a smaller one",
            {words("attack"), number("attacked"), number("broken"), number("smallest norm of all"),
             number("median norm")},
            rows);
}

std::string explained(const json& curve) {
  const auto level = number_at(curve, "band/level").value_or(0.95);
  const auto median = number_at(curve, "median");
  const auto censored = number_at(curve, "censored").value_or(0);
  std::string text =
      str("Each image counts as broken from the smallest verified norm on that any attack found. "
          "Shaded: the simultaneous ",
          fixed(100 * level, 0), " % band (", text_at(curve, "band/method"),
          ") of the sampling error; stronger attacks can only lower the curve. ");
  text += median ? str("Half of the images are broken within ", radius_text(*median), ". ")
                 : std::string("Less than half of the images were broken. ");
  if (censored > 0)
    text += str(fixed(censored, 0), " images were never broken up to ", text_at(curve, "reach"),
                " (dotted). ");
  const auto largest = number_at(curve, "largest_disagreement/disagreement");
  if (largest)
    text += str("Largest disagreement with an anchor: ", fixed(100 * *largest, 1),
                " points at epsilon ", text_at(curve, "largest_disagreement/epsilon"), ".");
  return text;
}

}  // namespace

void add_security_curve(Html& page, const RunData& run) {
  const json* curve = find_member(run.record, "result/curve");
  if (curve == nullptr || !curve->is_object()) return;
  const auto steps = steps_of(curve->value("points", json::array()));
  if (steps.empty()) return;
  const json anchors = curve->value("anchors", json::array());
  const auto checked = steps_of(anchors);
  add_heading(page, "Security curve");
  add_paragraph(page, explained(*curve));
  add_figure(page, "Robust accuracy by epsilon", "", chart_of(*curve, steps, checked), "wide");
  add_points(page, steps);
  add_anchor_table(page, anchors, checked);
  add_search_table(page, curve->value("attacks", json::array()));
}

}  // namespace namid::report
