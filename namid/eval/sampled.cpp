// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/sampled.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/core/random.h"
#include "namid/core/subsample.h"

namespace namid::eval {
namespace {

constexpr std::int64_t kMost = 1'000'000'000;

[[noreturn]] void refuse(const std::string& what) {
  throw OptionError("[evaluate] sample_stage: " + what);
}

std::string without_blanks(std::string_view text) {
  std::string kept(text);
  std::erase(kept, ' ');
  return kept;
}

/// attack → images, as the text says.
std::map<std::string, std::int64_t> parse(const std::string& text) {
  std::map<std::string, std::int64_t> counts;
  for (const auto item : detail::split_list(text)) {
    const auto word = without_blanks(item);
    const auto equals = word.find('=');
    if (equals == std::string::npos)
      refuse(str("expected attack=images such as 'fab-t=300,square=300', got '", word, "'"));
    const auto name = word.substr(0, equals);
    try {
      counts[name] = detail::parse_integer(word.substr(equals + 1), 1, kMost);
    } catch (const OptionError& error) {
      refuse(name + ": " + error.what());
    }
  }
  return counts;
}

}  // namespace

SampledStages::SampledStages(const std::string& text, const Suite& suite) {
  auto counts = parse(text);
  if (counts.empty()) return;
  if (suite.combine == Combine::each)
    refuse("expected a suite that attacks only what is left; give --combine worst_case");
  std::vector<std::string> names;
  for (const auto& attack : suite.attacks) {
    names.push_back(attack.name);
    const auto found = counts.find(attack.name);
    if (found != counts.end()) {
      counts_.push_back(found->second);
      counts.erase(found);
    } else if (counts_.empty()) {
      ++first_;
    } else {
      refuse(str("expected the sampled attacks last, but ", attack.name, " follows one of them"));
    }
  }
  if (counts.empty()) return;
  const auto& unknown = counts.begin()->first;
  const auto guess = nearest(unknown, names);
  refuse(str("the suite has no attack '", unknown, "'",
             guess.empty() ? "" : "; did you mean '" + guess + "'?"));
}

std::optional<std::int64_t> SampledStages::count(std::size_t attack) const {
  if (none() || attack < first_) return std::nullopt;
  return counts_.at(attack - first_);
}

std::int64_t SampledStages::common() const {
  return *std::min_element(counts_.begin(), counts_.end());
}

std::vector<std::uint64_t> drawn_ids(std::vector<std::uint64_t> ids, std::int64_t count,
                                     std::uint64_t seed) {
  const Random random(seed, "evaluate/sampled");
  std::vector<std::pair<std::uint64_t, std::uint64_t>> order;
  for (const auto id : ids) {
    const auto words = random.words({.sample = id});
    order.emplace_back(std::uint64_t{words[0]} << 32 | words[1], id);
  }
  std::sort(order.begin(), order.end());
  ids.clear();
  for (const auto& [key, id] : order)
    if (std::ssize(ids) < count) ids.push_back(id);
  return ids;
}

nlohmann::json sampled_json(std::int64_t n, std::int64_t survivors, std::int64_t drawn,
                            std::int64_t broken, double confidence) {
  const auto accuracy = sampled_accuracy(n, survivors, drawn, broken, confidence);
  return {{"survivors", survivors},
          {"drawn", drawn},
          {"broken", broken},
          {"bound", accuracy.bound},
          {"estimate", accuracy.estimate},
          {"lower", accuracy.interval.low},
          {"upper", accuracy.interval.high},
          {"confidence", confidence}};
}

}  // namespace namid::eval
