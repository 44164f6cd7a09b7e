// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"
#include "namid/report/svg.h"

namespace namid::report {
namespace {

constexpr std::size_t kMostPoints = 300;
constexpr std::size_t kColours = 6;

struct Curves {
  std::string label;  ///< of the run; empty where the page has one
  const RunData* run;
};

bool has_curves(const RunData& run) {
  return !run.metrics.empty();
}

std::vector<Curves> curves_of(const RunData& run) {
  std::vector<Curves> found;
  if (has_curves(run)) found.push_back({"", &run});
  for (const RunData& child : run.children) {
    if (has_curves(child)) found.push_back({child.name(), &child});
  }
  return found;
}

std::vector<Point> points_of_kind(const RunData& run, const std::string& metric,
                                  const std::string& kind, bool by_epoch) {
  std::vector<Point> points;
  for (const MetricRow& row : run.metrics) {
    const auto value = row.values.find(metric);
    if (row.kind != kind || value == row.values.end()) continue;
    points.push_back({by_epoch ? row.epoch : row.step, value->second});
  }
  return points;
}

std::vector<Point> thinned(const std::vector<Point>& points) {
  const std::size_t stride = (points.size() + kMostPoints - 1) / kMostPoints;
  if (stride <= 1) return points;
  std::vector<Point> kept;
  for (std::size_t i = 0; i < points.size(); i += stride) kept.push_back(points[i]);
  if ((points.size() - 1) % stride != 0) kept.push_back(points.back());
  return kept;
}

bool counts_epochs(const RunData& run) {
  return std::any_of(run.metrics.begin(), run.metrics.end(),
                     [](const MetricRow& row) { return row.epoch > 0; });
}

/// One value per epoch where there are such rows, otherwise one per step.
std::vector<Point> points_of(const RunData& run, const std::string& metric, bool by_epoch) {
  auto epochs = points_of_kind(run, metric, "epoch", by_epoch);
  auto steps = points_of_kind(run, metric, "step", by_epoch);
  return thinned(epochs.size() >= 2 || steps.empty() ? epochs : steps);
}

std::set<std::string> metric_names(const std::vector<Curves>& runs) {
  std::set<std::string> names;
  for (const Curves& one : runs) {
    for (const MetricRow& row : one.run->metrics) {
      for (const auto& [name, value] : row.values) names.insert(name);
    }
  }
  return names;
}

bool contains(const std::string& name, const char* part) {
  return name.find(part) != std::string::npos;
}

std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  std::replace(name.begin(), name.end(), '/', ' ');
  return name;
}

/// What a chart of one metric is called; anything unknown by its group and its own name.
std::string chart_title(const std::string& group, const std::string& metric) {
  static const std::map<std::string, std::string> titles = {
      {"accuracy", "Natural accuracy in training (%)"},
      {"adversarial_accuracy", "Adversarial accuracy in training (%)"},
      {"natural_accuracy", "Natural accuracy on validation (%)"},
      {"validation_natural_accuracy", "Natural accuracy on validation (%)"},
      {"validation_robust_accuracy", "Robust accuracy on validation (%)"},
      {"robust_accuracy", "Robust accuracy on validation (%)"},
      {"loss", "Loss"},
      {"base_loss", "Base loss"},
      {"mi_loss", "L_mi (Eq. 8)"}};
  const auto known = titles.find(metric);
  return known != titles.end() ? known->second : str(group, ": ", spaced(metric));
}

struct ChartPlan {
  std::string title, note, unit;
  double factor = 1;
  std::optional<std::pair<double, double>> y_range = std::nullopt;
  bool only_if_moving = false;
};

bool is_moving(const std::vector<Series>& series) {
  return std::any_of(series.begin(), series.end(), [](const Series& one) {
    return std::any_of(one.points.begin(), one.points.end(),
                       [&](const Point& point) { return point.y != one.points.front().y; });
  });
}

Series make_series(const Curves& one, const std::string& metric, const ChartPlan& plan,
                   bool by_epoch) {
  Series series{.name = one.label, .points = points_of(*one.run, metric, by_epoch)};
  for (Point& point : series.points) point.y *= plan.factor;
  return series;
}

void add_chart(Html& page, const std::vector<Curves>& runs, const std::vector<std::string>& metrics,
               const ChartPlan& plan) {
  const bool by_epoch = std::all_of(runs.begin(), runs.end(),
                                    [](const Curves& one) { return counts_epochs(*one.run); });
  LineChart chart{.title = plan.title,
                  .x_name = by_epoch ? "epoch" : "step",
                  .unit = plan.unit,
                  .series = {},
                  .y_range = plan.y_range};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const std::string& metric : metrics) {
      Series series = make_series(runs[i], metric, plan, by_epoch);
      if (series.points.empty()) continue;
      if (series.name.empty()) series.name = metrics.size() > 1 ? spaced(metric) : "";
      // Blue and orange mean natural and robust elsewhere on the page.
      const std::size_t place = runs.size() > 1 ? i + 2 : chart.series.size();
      series.colour = static_cast<int>(place % kColours);
      chart.series.push_back(std::move(series));
    }
  }
  if (chart.series.empty() || (plan.only_if_moving && !is_moving(chart.series))) return;
  add_figure(page, plan.title, plan.note, line_chart(chart), "");
}

std::vector<std::string> names_with(const std::set<std::string>& names, const char* part) {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (contains(name, part)) found.push_back(name);
  }
  return found;
}

/// One chart of all metrics for one run; one chart per metric, a line per run, for several.
void add_charts(Html& page, const std::vector<Curves>& runs,
                const std::vector<std::string>& metrics, const ChartPlan& plan) {
  if (runs.size() <= 1) return add_chart(page, runs, metrics, plan);
  for (const std::string& metric : metrics) {
    ChartPlan one = plan;
    one.title = chart_title(plan.title, metric);
    add_chart(page, runs, {metric}, one);
  }
}

}  // namespace

void add_curves(Html& page, const RunData& run) {
  const std::vector<Curves> runs = curves_of(run);
  const std::set<std::string> names = metric_names(runs);
  if (names.empty()) return;
  Html charts;
  const char* each =
      runs.size() > 1 ? "Each run minimises its own loss: heights do not compare." : "";
  add_charts(charts, runs, names_with(names, "accuracy"),
             {.title = "Accuracy (%)", .unit = " %", .factor = 100, .y_range = {{0, 100}}});
  add_charts(charts, runs, names_with(names, "loss"), {.title = "Loss", .note = each});
  add_charts(charts, runs, names_with(names, "score"),
             {.title = "DV score (nats)", .note = "Not mutual information."});
  for (const char* rate : {"lr", "learning_rate"}) {
    if (names.contains(rate)) {
      add_chart(charts, runs, {rate}, {.title = "Learning rate", .only_if_moving = true});
    }
  }
  if (charts.is_empty()) return;
  add_heading(page, "Training");
  page.open("div", {{"class", "grid"}}).append(charts).close();
}

}  // namespace namid::report
