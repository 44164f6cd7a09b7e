// SPDX-License-Identifier: Apache-2.0
#include "namid/report/figure_scores.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "namid/core/format.h"

namespace namid::report {
namespace {

using nlohmann::json;

// figure, critic, attack, quantity, value
constexpr std::string_view kScores = R"(
fig2 natural  pgd-10     natural_on_natural         0.485
fig2 natural  pgd-10     image_on_adversarial       0.382
fig2 natural  pgd-10     natural_on_adversarial     0.205
fig2 natural  pgd-40     natural_on_natural         0.485
fig2 natural  pgd-40     image_on_adversarial       0.367
fig2 natural  pgd-40     natural_on_adversarial     0.192
fig2 natural  fwa-10     natural_on_natural         0.485
fig2 natural  fwa-10     image_on_adversarial       0.326
fig2 natural  fwa-10     natural_on_adversarial     0.180
fig2 natural  fwa-40     natural_on_natural         0.485
fig2 natural  fwa-40     image_on_adversarial       0.311
fig2 natural  fwa-40     natural_on_adversarial     0.160
fig2 natural  autoattack natural_on_natural         0.485
fig2 natural  autoattack image_on_adversarial       0.344
fig2 natural  autoattack natural_on_adversarial     0.130
fig4 separate pgd-40     natural_on_natural         0.467
fig4 separate pgd-40     natural_on_adversarial     0.223
fig4 separate pgd-40     adversarial_on_natural     0.190
fig4 separate pgd-40     adversarial_on_adversarial 0.531
fig4 selected pgd-40     natural_on_natural         0.861
fig4 selected pgd-40     natural_on_adversarial     0.180
fig4 selected pgd-40     adversarial_on_natural     0.159
fig4 selected pgd-40     adversarial_on_adversarial 0.893
)";

json row_of(const PublishedScore& score, json published) {
  return {{"critic", score.critic},
          {"attack", score.attack},
          {"quantity", score.quantity},
          {"published", std::move(published)},
          {"values", json::array()},
          {"mean", json()},
          {"sd", json()}};
}

json& find_or_add(json& rows, const PublishedScore& score) {
  for (auto& row : rows)
    if (row["critic"] == score.critic && row["attack"] == score.attack &&
        row["quantity"] == score.quantity)
      return row;
  rows.push_back(row_of(score, json()));
  return rows.back();
}

void add_study(json& rows, const std::string& figure, const json& study) {
  for (const auto& critic : study.at("critics"))
    for (const auto& [attack, scores] : critic.at(figure).items())
      for (const auto& [quantity, value] : scores.items())
        find_or_add(rows, {figure, critic.value("objective", ""), attack, quantity})["values"]
            .push_back(value.at("mean"));
}

void set_mean(json& row) {
  const auto values = row.at("values").get<std::vector<double>>();
  if (values.empty()) return;
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  row["mean"] = mean;
  if (values.size() > 1) row["sd"] = std::sqrt(squares / static_cast<double>(values.size() - 1));
}

}  // namespace

const std::vector<PublishedScore>& published_scores() {
  static const std::vector<PublishedScore> kParsed = [] {
    std::vector<PublishedScore> scores;
    std::istringstream words{std::string(kScores)};
    PublishedScore score;
    while (words >> score.figure >> score.critic >> score.attack >> score.quantity >> score.value)
      scores.push_back(score);
    return scores;
  }();
  return kParsed;
}

std::string score_symbol(const std::string& quantity) {
  if (quantity == "natural_on_natural") return "I(x; h(x))";
  if (quantity == "natural_on_adversarial") return "I(x; h(x̃))";
  if (quantity == "image_on_adversarial") return "I(x̃; h(x̃))";
  if (quantity == "adversarial_on_natural") return "I(n; h(x))";
  if (quantity == "adversarial_on_adversarial") return "I(n; h(x̃))";
  return quantity;
}

json figure_scores(const std::string& figure, const std::vector<json>& studies) {
  json rows = json::array();
  for (const auto& score : published_scores())
    if (score.figure == figure) rows.push_back(row_of(score, score.value));
  for (const auto& study : studies) add_study(rows, figure, study);
  for (auto& row : rows) set_mean(row);
  return rows;
}

TableLines score_lines(const json& scores) {
  TableLines lines = {{"estimators", "attack", "score", "published", "measured", "seeds"}};
  const auto number = [](const json& value) { return fixed(value.get<double>(), 3); };
  for (const auto& row : scores) {
    std::string measured = "not available";
    if (row.at("mean").is_number()) measured = number(row["mean"]);
    if (row.at("sd").is_number()) measured += str(" ± ", number(row["sd"]));
    lines.push_back({row.value("critic", ""), row.value("attack", ""),
                     score_symbol(row.value("quantity", "")),
                     row.at("published").is_number() ? number(row["published"]) : "", measured,
                     str(row.at("values").size())});
  }
  return lines;
}

}  // namespace namid::report
