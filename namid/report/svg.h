// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "namid/report/html.h"

namespace namid::report {

// Static charts as inline SVG. Colours are the style sheet's classes c0 to c5; every mark says its
// numbers in a <title>, every chart in its aria-label.

struct Point {
  double x = 0, y = 0;  ///< y not finite: a gap in the line
};

struct Series {
  std::string name;
  int colour = 0;  ///< class c<colour>
  std::vector<Point> points;
};

struct LineChart {
  std::string title;
  std::string x_name;  ///< e.g. "epoch"
  std::string unit;    ///< after each value in a tooltip, e.g. " %"
  std::vector<Series> series;
  /// Range of the y axis; otherwise that of the values.
  std::optional<std::pair<double, double>> y_range = std::nullopt;
};

/// Lines with their names at their ends. A series of one point is a dot; one without a finite value
/// is left out, and a chart without any says so.
Html line_chart(const LineChart& chart);

/// A fraction in [0,1] with its interval, if it has one.
struct Interval {
  std::string name;
  int colour = 0;
  double value = 0;
  std::optional<std::pair<double, double>> bounds = std::nullopt;
  double confidence = 0;  ///< of the bounds, said in the tooltip
};

struct IntervalGroup {
  std::string name;  ///< may be empty
  std::vector<Interval> intervals;
};

/// Dots with whiskers on one axis from 0 to 100 %, the numbers beside them.
Html interval_chart(const std::string& title, const std::vector<IntervalGroup>& groups);

/// A value on an axis from 0 on, with a half-width drawn as whiskers.
struct Score {
  std::string name;
  int colour = 0;
  double value = 0;
  double half_width = 0;
};

struct ScoreGroup {
  std::string name;  ///< may be empty
  std::vector<Score> scores;
};

/// Dots with whiskers on one axis from 0 to the largest end, the numbers and `unit` beside them.
Html score_chart(const std::string& title, const std::string& unit,
                 const std::vector<ScoreGroup>& groups);

/// Counts of values in equal bins from 0 to `high`.
struct Histogram {
  std::string title, x_name;
  std::vector<double> values;
  double high = 1;
  int bins = 24;
  int colour = 0;
};
Html histogram(const Histogram& chart);

/// How many of `values` lie in each of `bins` equal parts of [0, high]; `high` belongs to the last
/// one, larger values too, NaN and negative ones to none.
std::vector<std::int64_t> bin_counts(const std::vector<double>& values, double high, int bins);

/// A small picture for a table's cell: two dots on a track from 0 to 1, joined.
Html accuracy_pair(double natural, double robust);

/// "62.3 %"
std::string percent(double fraction);
/// "62.3 % [59.2, 65.3]", or the value alone.
std::string percent_with_bounds(double value,
                                const std::optional<std::pair<double, double>>& bounds);

}  // namespace namid::report
