// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "namid/core/format.h"
#include "namid/eval/accuracy.h"
#include "namid/eval/curve.h"

namespace namid::eval {
namespace {

using json = nlohmann::json;

constexpr std::size_t kMostPoints = 300;
constexpr double kShares[] = {0.1, 0.25, 0.5, 0.75, 0.9};

json or_null(const std::optional<double>& value) {
  return value ? json(*value) : json(nullptr);
}

SecurityCurve curve_of(const CurveData& data, double confidence) {
  return {data.radii([](const auto&) { return true; }), data.reach(), confidence};
}

/// Radii that attacks of a fixed budget tried, ascending.
std::set<double> fixed_radii(const CurveData& data) {
  std::set<double> radii;
  for (const auto& attack : data.attacks)
    if (!attack.search || !data.has_search()) radii.insert(attack.epsilon);
  return radii;
}

/// The points at which the curve was measured.
std::vector<CurvePoint> measured(const CurveData& data, const SecurityCurve& curve,
                                 std::size_t most) {
  if (data.has_search()) return curve.points(most);
  std::vector<CurvePoint> points{curve.at(0)};
  for (const double epsilon : fixed_radii(data)) points.push_back(curve.at(epsilon));
  return points;
}

json points_json(const std::vector<CurvePoint>& points) {
  json rows = json::array();
  for (const auto& point : points)
    rows.push_back({{"epsilon", point.epsilon},
                    {"robust", point.robust},
                    {"lower", point.band.low},
                    {"upper", point.band.high}});
  return rows;
}

json quantiles_json(const SecurityCurve& curve) {
  json rows = json::array();
  for (const double share : kShares) {
    const auto quantile = curve.quantile(share);
    rows.push_back({{"share", share},
                    {"epsilon", or_null(quantile.value)},
                    {"lower", or_null(quantile.lower)},
                    {"upper", or_null(quantile.upper)}});
  }
  return rows;
}

json anchor_json(const CurveData& data, double epsilon, double confidence) {
  const auto left = [&](const auto& chosen) {
    const auto radii = data.radii(chosen);
    return std::count_if(radii.begin(), radii.end(), [&](double r) { return r > epsilon; });
  };
  const auto n = static_cast<double>(data.natural.size());
  const auto by_searches = left([](const auto& attack) { return attack.search; });
  const auto robust =
      left([&](const auto& attack) { return attack.search || attack.epsilon <= epsilon; });
  std::string names;
  std::int64_t attacked = 0, broken = 0;
  for (const auto& attack : data.attacks) {
    if (attack.search || attack.epsilon != epsilon) continue;
    names += str(names.empty() ? "" : ", ", attack.name.substr(0, attack.name.find('@')));
    attacked = std::max(attacked, attack.attacked);
    broken += std::ssize(attack.radii);
  }
  const auto interval = clopper_pearson(robust, std::ssize(data.natural), confidence);
  return {{"epsilon", epsilon},
          {"attack", names},
          {"robust", static_cast<double>(robust) / n},
          {"lower", interval.low},
          {"upper", interval.high},
          {"curve", static_cast<double>(by_searches) / n},
          {"disagreement", static_cast<double>(by_searches - robust) / n},
          {"attacked", attacked},
          {"broken", broken}};
}

void add_anchors(json& out, const CurveData& data, double confidence) {
  out["anchors"] = json::array();
  out["largest_disagreement"] = nullptr;
  if (!data.has_search()) return;
  for (const double epsilon : fixed_radii(data))
    out["anchors"].push_back(anchor_json(data, epsilon, confidence));
  for (const auto& anchor : out["anchors"])
    if (out["largest_disagreement"].is_null() ||
        anchor["disagreement"] > out["largest_disagreement"]["disagreement"])
      out["largest_disagreement"] = {{"epsilon", anchor["epsilon"]},
                                     {"disagreement", anchor["disagreement"]}};
}

/// How many images no other attack broke at a smaller norm, by attack.
std::vector<std::int64_t> best_counts(const CurveData& data) {
  std::vector<std::int64_t> counts(data.attacks.size());
  for (const auto& [sample, correct] : data.natural) {
    double smallest = std::numeric_limits<double>::infinity();
    std::size_t best = counts.size();
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const auto found = data.attacks[i].radii.find(sample);
      if (found == data.attacks[i].radii.end() || !(found->second < smallest)) continue;
      smallest = found->second;
      best = i;
    }
    if (correct && best < counts.size()) ++counts[best];
  }
  return counts;
}

/// Middle norm over the images attacked, failures infinite; null where that is one of them.
json median_of(const AttackRadii& attack) {
  std::vector<double> norms;
  for (const auto& [sample, radius] : attack.radii) norms.push_back(radius);
  std::sort(norms.begin(), norms.end());
  const auto middle = static_cast<std::size_t>((attack.attacked + 1) / 2);
  return middle == 0 || middle > norms.size() ? json(nullptr) : json(norms[middle - 1]);
}

json attacks_json(const CurveData& data) {
  const auto best = best_counts(data);
  json rows = json::array();
  for (std::size_t i = 0; i < best.size(); ++i) {
    const auto& attack = data.attacks[i];
    rows.push_back({{"name", attack.name},
                    {"epsilon", attack.epsilon},
                    {"attacked", attack.attacked},
                    {"broken", attack.radii.size()},
                    {"refuted", attack.refuted},
                    {"best_for", best[i]},
                    {"median", median_of(attack)},
                    {"passes", {{"forwards", attack.forwards}, {"backwards", attack.backwards}}},
                    {"seconds", attack.seconds}});
  }
  return rows;
}

}  // namespace

json curve_json(const CurveData& data, double confidence) {
  const auto curve = curve_of(data, confidence);
  json out = {{"kind", data.has_search() ? "searches" : "sweep"},
              {"norm", std::string(to_string(data.norm))},
              {"n", curve.n()},
              {"natural", curve.robust(0)},
              {"points", points_json(measured(data, curve, kMostPoints))},
              {"reach", curve.reach()},
              {"censored", curve.censored()},
              {"median", or_null(curve.quantile(0.5).value)},
              {"quantiles", quantiles_json(curve)},
              {"band",
               {{"method", "Dvoretzky-Kiefer-Wolfowitz-Massart"},
                {"level", confidence},
                {"half_width", curve.half_width()}}},
              {"attacks", attacks_json(data)}};
  add_anchors(out, data, confidence);
  return out;
}

std::string curve_csv(const CurveData& data, double confidence) {
  const auto curve = curve_of(data, confidence);
  std::string text = "epsilon,robust,lower,upper\n";
  for (const auto& point : measured(data, curve, std::numeric_limits<std::size_t>::max()))
    text += str(point.epsilon, ",", point.robust, ",", point.band.low, ",", point.band.high, "\n");
  return text;
}

}  // namespace namid::eval
