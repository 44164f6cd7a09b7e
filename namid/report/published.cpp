// SPDX-License-Identifier: Apache-2.0
#include "namid/report/published.h"

#include <algorithm>
#include <sstream>

namespace namid::report {
namespace {

// table, data, norm, defense, variant, then an accuracy (%) for each of the table's columns.
constexpr std::string_view kTables = R"(
3    cifar10       linf standard - 83.39±0.95 42.38±0.56 39.01±0.51 15.44±0.32 55.63±0.67
3    cifar10       linf at-mim   - 80.32±0.60 40.76±0.45 36.05±0.57 12.14±0.46 53.10±0.53
3    cifar10       linf namid    - 83.41±0.56 44.79±0.50 39.26±0.56 15.67±0.47 58.23±0.63
3    cifar10       linf trades   - 80.70±0.63 46.29±0.59 42.71±0.49 20.54±0.47 57.06±0.51
3    cifar10       linf namid-t  - 80.67±0.73 47.53±0.59 43.39±0.83 21.17±0.44 59.13±0.72
3    cifar10       linf mart     - 78.21±0.65 50.23±0.70 43.96±0.67 25.56±0.61 58.62±0.65
3    cifar10       linf namid-m  - 78.38±0.68 51.69±0.51 44.42±0.71 25.64±0.49 61.26±0.67
3    tiny-imagenet linf standard - 48.40±0.68 17.35±0.56 11.27±0.53 10.29±0.47 27.84±0.46
3    tiny-imagenet linf at-mim   - 47.43±0.56 16.50±0.72 9.87±0.57 9.25±0.45 25.19±0.47
3    tiny-imagenet linf namid    - 48.41±0.47 18.67±0.59 12.29±0.43 11.32±0.52 29.37±0.67
3    tiny-imagenet linf trades   - 48.25±0.71 19.17±0.58 12.63±0.51 10.67±0.68 29.64±0.43
3    tiny-imagenet linf namid-t  - 48.21±0.54 20.12±0.66 12.86±0.57 14.91±0.41 30.81±0.60
3    tiny-imagenet linf mart     - 47.83±0.65 20.90±0.59 15.57±0.52 12.95±0.49 30.71±0.41
3    tiny-imagenet linf namid-m  - 47.80±0.52 21.23±0.49 15.83±0.50 15.09±0.57 31.59±0.63
4    cifar10       l2   standard - 83.97±0.51 61.69±0.74 30.96±0.53 29.34±0.70
4    cifar10       l2   at-mim   - 81.29±0.73 58.36±0.51 28.41±0.47 27.13±0.54
4    cifar10       l2   namid    - 84.35±0.76 62.38±0.70 34.48±0.58 32.41±0.69
4    cifar10       l2   trades   - 83.72±0.66 63.17±0.43 33.81±0.71 32.06±0.75
4    cifar10       l2   namid-t  - 84.19±0.56 64.75±0.84 35.41±0.65 34.27±0.75
4    cifar10       l2   mart     - 83.36±0.47 65.38±0.49 35.57±0.66 34.69±0.62
4    cifar10       l2   namid-m  - 84.07±0.65 66.03±0.53 36.19±0.46 35.76±0.69
4    tiny-imagenet l2   standard - 49.57±0.43 26.19±0.46 12.73±0.59 11.25±0.42
4    tiny-imagenet l2   at-mim   - 48.16±0.67 24.10±0.43 11.35±0.61 10.16±0.74
4    tiny-imagenet l2   namid    - 49.65±0.40 28.13±0.69 14.29±0.48 12.57±0.70
4    tiny-imagenet l2   trades   - 48.83±0.63 27.16±0.43 13.28±0.37 12.34±0.52
4    tiny-imagenet l2   namid-t  - 49.07±0.40 28.83±0.62 14.47±0.56 13.91±0.70
4    tiny-imagenet l2   mart     - 48.56±0.53 27.98±0.55 14.36±0.64 13.79±0.51
4    tiny-imagenet l2   namid-m  - 48.72±0.75 29.14±0.43 15.06±0.52 14.23±0.39
5    cifar10       linf standard - 83.39±0.95 65.88±0.47 60.93±0.49 56.42±0.50 70.17±0.73
5    cifar10       linf at-mim   - 80.32±0.60 62.79±0.63 57.86±0.56 53.05±0.86 67.41±0.84
5    cifar10       linf namid    - 83.41±0.56 69.57±0.72 63.72±0.71 59.30±0.63 72.83±0.81
5    tiny-imagenet linf standard - 48.40±0.68 36.16±0.37 32.50±0.46 30.47±0.32 39.63±0.73
5    tiny-imagenet linf at-mim   - 47.43±0.56 33.09±0.69 30.87±0.70 28.49±0.38 35.34±0.62
5    tiny-imagenet linf namid    - 48.41±0.47 38.10±0.62 34.57±0.54 31.86±0.53 39.75±0.72
6    cifar10       l2   standard - 83.97±0.51 75.69±0.85 68.53±0.72 65.19±0.87
6    cifar10       l2   at-mim   - 81.29±0.73 72.91±0.66 64.70±0.71 62.16±0.76
6    cifar10       l2   namid    - 84.35±0.76 78.43±0.77 70.25±0.61 68.37±0.54
6    tiny-imagenet l2   standard - 49.57±0.43 40.36±0.65 34.13±0.57 32.79±0.39
6    tiny-imagenet l2   at-mim   - 48.16±0.67 39.56±0.43 31.79±0.69 30.25±0.35
6    tiny-imagenet l2   namid    - 49.65±0.40 41.78±0.48 36.43±0.46 34.61±0.49
fig5 cifar10       linf namid    - - 44.78 39.23
fig5 cifar10       linf namid    no-adversarial - 42.97 38.62
fig5 cifar10       linf namid    no-natural     - 43.76 38.74
fig5 cifar10       linf namid    lambda-0       - 44.16 38.87
fig5 cifar10       linf standard - - 42.17 38.30
fig7 cifar10       linf namid    separate       82.99 43.69 37.98 56.33
fig7 cifar10       linf namid    - 83.03 44.79 39.23 58.25
)";

std::string unless_dash(const std::string& word) {
  return word == "-" ? "" : word;
}

std::optional<Published> parse_accuracy(const std::string& word) {
  if (word == "-") return std::nullopt;
  const auto sign = word.find("±");
  if (sign == std::string::npos) return Published{std::stod(word), std::nullopt};
  return Published{std::stod(word.substr(0, sign)),
                   std::stod(word.substr(sign + std::string_view("±").size()))};
}

std::vector<PublishedRow> parse_tables() {
  std::vector<PublishedRow> rows;
  std::istringstream lines{std::string(kTables)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    PublishedRow row;
    if (!(words >> row.table >> row.data >> row.norm >> row.defense >> row.variant)) continue;
    row.variant = unless_dash(row.variant);
    for (std::string word; words >> word;) row.values.push_back(parse_accuracy(word));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::vector<std::string> published_columns(std::string_view table) {
  if (table == "3" || table == "5") return {"none", "pgd-40", "autoattack", "fwa-40", "ti-dim"};
  if (table == "4" || table == "6") return {"none", "pgd-40", "cw", "ddn"};
  if (table == "fig5") return {"none", "pgd-40", "autoattack"};
  if (table == "fig7") return {"none", "pgd-40", "autoattack", "ti-dim"};
  return {};
}

const std::vector<PublishedRow>& published_rows() {
  static const std::vector<PublishedRow> kRows = parse_tables();
  return kRows;
}

const PublishedRow* find_published(std::string_view table, std::string_view data,
                                   std::string_view norm, std::string_view defense,
                                   std::string_view variant) {
  const auto& rows = published_rows();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const PublishedRow& row) {
    return row.table == table && row.data == data && row.norm == norm && row.defense == defense &&
           row.variant == variant;
  });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace namid::report
