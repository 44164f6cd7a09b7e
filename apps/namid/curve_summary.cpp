// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "apps/namid/curve_command.h"
#include "apps/namid/inputs.h"
#include "namid/core/format.h"

namespace namid::app {
namespace {

constexpr std::size_t kRows = 12;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string percent_text(const json& value) {
  return fixed(100 * value.get<double>(), 2);
}

/// Six digits at most: "0.1279".
std::string radius(const json& value, double reach) {
  if (value.is_null()) return str("above ", reach);
  const double number = value.get<double>();
  return number >= 100 ? fixed(number, 1) : shortest(std::round(number * 1e4) / 1e4);
}

std::string points_table(const json& curve) {
  const auto& points = curve["points"];
  const auto count = std::min(kRows, points.size());
  std::string text = "epsilon     robust %  band\n";
  for (std::size_t k = 0; k < count; ++k) {
    const auto& point = points[count == 1 ? 0 : k * (points.size() - 1) / (count - 1)];
    text += str(padded(radius(point["epsilon"], 0), 12), padded(percent_text(point["robust"]), 10),
                "[", percent_text(point["lower"]), ", ", percent_text(point["upper"]), "]\n");
  }
  return text;
}

std::string anchors_table(const json& curve) {
  if (curve["anchors"].empty()) return "";
  std::string text = "anchor      attack    robust %  interval          curve %   newly broken\n";
  for (const auto& anchor : curve["anchors"]) {
    const auto interval =
        str("[", percent_text(anchor["lower"]), ", ", percent_text(anchor["upper"]), "]");
    text += str(padded(radius(anchor["epsilon"], 0), 12), padded(anchor.value("attack", ""), 10),
                padded(percent_text(anchor["robust"]), 10), padded(interval, 18),
                padded(percent_text(anchor["curve"]), 10), anchor.value("broken", 0), " of ",
                anchor.value("attacked", 0), "\n");
  }
  const auto& largest = curve["largest_disagreement"];
  return text + str("largest disagreement: ", percent_text(largest["disagreement"]),
                    " points at epsilon ", radius(largest["epsilon"], 0), "\n");
}

std::string attacks_table(const json& curve) {
  std::string text = "attack              broken        best for  median\n";
  for (const auto& attack : curve["attacks"]) {
    const auto broken = str(attack.value("broken", 0), " of ", attack.value("attacked", 0));
    text += str(padded(attack.value("name", ""), 20), padded(broken, 14),
                padded(str(attack.value("best_for", 0)), 10),
                attack.value("attacked", 0) == 0
                    ? ""
                    : radius(attack["median"], attack.value("epsilon", 0.0)),
                "\n");
  }
  return text;
}

}  // namespace

std::string CurveCommand::summary(const json& result, const run::RunFolder& folder) const {
  const auto& curve = result["curve"];
  const double reach = curve.value("reach", 0.0);
  std::string text =
      str("n = ", curve.value("n", 0), ", norm ", curve.value("norm", ""), ", simultaneous ",
          fixed(100 * curve["band"].value("level", 0.95), 0), " % band of ",
          curve["band"].value("method", ""), ": +- ", percent_text(curve["band"]["half_width"]),
          " points, sampling error alone\ninitial accuracy: ", accuracy_text(result["natural"]),
          "\n", points_table(curve), "never broken up to ", radius(reach, 0), ": ",
          curve.value("censored", 0), " of ", curve.value("n", 0), "\nhalf of the images are ",
          "broken within: ", radius(curve["median"], reach), "\n", anchors_table(curve),
          attacks_table(curve));
  for (const auto& error : result.value("errors", json::array()))
    text += str(error.value("name", ""), " failed: ", error.value("error", ""), "\n");
  return text + str("run folder ", folder.path().string(), "\n");
}

}  // namespace namid::app
