// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/gate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/paired_sequence.h"
#include "namid/core/random.h"

namespace namid::eval {
namespace {

using nlohmann::json;

constexpr std::string_view kCertified = "certified";

/// Of how many images how many count, for a number fixed beforehand.
struct FixedCount {
  std::int64_t right = 0, n = 0;
};

FixedCount certified_of(const FinishedRun& run) {
  const auto accuracy = member_at(run.record, "/result/certificates/accuracy");
  if (accuracy.is_null())
    throw DataError(str(run.name,
                        ": has no certificates (result/certificates/accuracy); expected "
                        "a run that certified"));
  const auto told = member_at(run.record, "/result/certificates/n");
  const auto n = told.is_number_integer() ? told.get<std::int64_t>() : std::ssize(run.verdicts.ids);
  const auto right = accuracy.is_object() ? accuracy.value("correct", json()) : json();
  const auto value = accuracy.is_object() ? accuracy.value("accuracy", json()) : json();
  if (!right.is_number_integer() || !value.is_number() || n < 1 ||
      std::abs(right.get<double>() / static_cast<double>(n) - value.get<double>()) > 1e-9)
    throw DataError(str(run.name,
                        ": run.json: result/certificates/accuracy: expected 'correct' of ", n,
                        " images and their share 'accuracy', got ", accuracy.dump()));
  return {right.get<std::int64_t>(), n};
}

Decision decide_by(const Claim& claim, const Interval& interval) {
  const bool at_low = claim.holds(interval.low), at_high = claim.holds(interval.high);
  if (at_low != at_high) return Decision::open;
  return at_low ? Decision::yes : Decision::no;
}

void fill_fixed(GateCheck& check, const Claim& claim, const FixedCount& count) {
  check.value = static_cast<double>(count.right) / static_cast<double>(count.n);
  // Two-sided at 1 - 2 alpha: each end is a one-sided limit at 1 - alpha.
  check.interval = clopper_pearson(count.right, count.n, 2 * check.level - 1);
  check.answer = decide_by(claim, check.interval);
  check.method = "clopper-pearson";
  check.images = check.of = count.n;
}

/// The verdicts in the order in which the run came to them; empty where the ids are not the places
/// 0, 1, ... that the order is drawn from.
std::vector<std::uint8_t> in_drawn_order(const FinishedRun& run,
                                         const std::vector<std::uint8_t>& verdicts) {
  std::unordered_map<std::uint64_t, std::uint8_t> by_id;
  for (std::size_t i = 0; i < verdicts.size(); ++i) by_id[run.verdicts.ids[i]] = verdicts[i];
  const auto& seed = run.identity.at("seed");
  if (seed.empty() || seed.size() > 20 || seed.find_first_not_of("0123456789") != std::string::npos)
    return {};
  const auto places = Random(std::stoull(seed), "evaluate/order").permutation(*run.population, 0);
  std::vector<std::uint8_t> ordered;
  for (const auto place : places) {
    if (ordered.size() == verdicts.size()) break;
    const auto found = by_id.find(static_cast<std::uint64_t>(place));
    if (found == by_id.end()) return {};
    ordered.push_back(found->second);
  }
  return ordered;
}

void fill_sequence(GateCheck& check, const Claim& claim, const FinishedRun& run,
                   const std::vector<std::uint8_t>& verdicts) {
  ConfidenceSequence sequence(*run.population, {.alpha = 1 - check.level});
  const auto ordered = in_drawn_order(run, verdicts);
  for (const auto verdict : ordered) sequence.add(verdict != 0);
  if (ordered.empty())  // one look at the end holds too; looks in between only narrow it
    sequence.add(std::count_if(verdicts.begin(), verdicts.end(), [](auto v) { return v != 0; }),
                 std::ssize(verdicts));
  check.value = static_cast<double>(sequence.successes()) / static_cast<double>(sequence.draws());
  check.interval = sequence.interval();
  check.answer = decide(claim, sequence);
  check.method = "confidence-sequence";
  check.population = Population::data_set;
  check.images = sequence.draws();
  check.of = sequence.population();
}

std::string unspaced(std::string_view text) {
  std::string plain;
  for (const char c : text)
    if (!std::isspace(static_cast<unsigned char>(c))) plain += c;
  return plain;
}

std::string percent_text(double share) {
  return fixed(100 * share, 2);
}

std::string limits(const GateCheck& check) {
  const std::string range =
      str("[", percent_text(check.interval.low), ", ", percent_text(check.interval.high),
          "] % at level ", shortest(check.level));
  if (check.population == Population::distribution)
    return str("one-sided limits ", range,
               check.method == "mcnemar" ? " (Clopper-Pearson of both discordant shares)"
                                         : " (Clopper-Pearson)",
               ", of the distribution behind the images");
  return str(range, " whenever one stops (confidence sequence), of the ", check.of,
             " images of the data set");
}

const char* answer_text(Decision answer) {
  switch (answer) {
    case Decision::no:
      return "no";
    case Decision::yes:
      return "yes";
    case Decision::open:
      break;
  }
  return "undecided";
}

}  // namespace

GateCheck check_claim(const FinishedRun& run, std::string_view text, const GateOptions& options) {
  validate(options, "gate");
  const auto plain = unspaced(text);
  const bool certified = plain.starts_with(kCertified);
  const auto claim = parse_claim(
      certified ? str(to_string(Quantity::robust), plain.substr(kCertified.size())) : plain);
  GateCheck check{.level = 1 - options.alpha};
  check.claim =
      certified ? str(kCertified, to_string(claim.comparison), claim.threshold) : to_string(claim);
  if (certified) {
    fill_fixed(check, claim, certified_of(run));
    return check;
  }
  const auto& verdicts =
      claim.quantity == Quantity::natural ? run.verdicts.natural : run.verdicts.robust;
  if (run.population) {
    fill_sequence(check, claim, run, verdicts);
  } else {
    const auto right =
        std::count_if(verdicts.begin(), verdicts.end(), [](auto v) { return v != 0; });
    fill_fixed(check, claim, {right, std::ssize(verdicts)});
  }
  return check;
}

GateCheck check_drop(const FinishedRun& run, const FinishedRun& baseline, double most,
                     const GateOptions& options) {
  validate(options, "gate");
  if (const auto difference = attack_difference(baseline, run); !difference.empty())
    throw DataError(str(baseline.name, " and ", run.name,
                        ": expected the same attacks within the same budget, got ", difference));
  const auto common = common_verdicts(baseline, run);
  GateCheck check{.claim = str("drop<=", most, " against ", baseline.name),
                  .level = 1 - options.alpha,
                  .images = common.robust.images,
                  .of = common.population.value_or(common.robust.images),
                  .discordant = common.robust};
  if (common.population) {
    const auto look = paired_look({common.robust, *common.population}, options.alpha);
    check.value = look.estimate;
    check.interval = look.interval;
    check.p = look.p_value;
    check.method = "paired-confidence-sequence";
    check.population = Population::data_set;
  } else {
    const auto test = mcnemar(common.robust, 1 - 2 * options.alpha);
    check.value = test.difference;
    check.interval = test.unconditional;
    check.p = test.p_value;
    check.method = "mcnemar";
  }
  if (check.interval.high <= most) check.answer = Decision::yes;
  if (check.interval.low > most) check.answer = Decision::no;
  return check;
}

double parse_drop(const std::string& text) {
  try {
    return parse_claim("robust<=" + text).threshold;  // a share is written as in a claim
  } catch (const OptionError&) {
    throw OptionError(
        str("[gate] max-drop: expected a share such as 1%, 0.01 or 1/100, got '", text, "'"));
  }
}

std::string to_text(const GateCheck& check) {
  std::string text = str(check.claim, ": ", answer_text(check.answer),
                         check.answer == Decision::open ? ", so not shown. " : ". ");
  if (!check.p) {
    text += str(percent_text(check.value), " % of ", check.images, " images; ");
  } else {
    text += str("The robust accuracy fell by ", percent_text(check.value), " points on ",
                check.images, " common images (only the baseline is right on ",
                check.discordant.only_first, ", only the run on ", check.discordant.only_second,
                "; p = ", fixed(*check.p, 4), " of no difference); ");
  }
  return text + limits(check);
}

json to_json(const GateCheck& check) {
  json object = {{"claim", check.claim},
                 {"answer", answer_text(check.answer)},
                 {"met", check.met()},
                 {"value", check.value},
                 {"interval", {check.interval.low, check.interval.high}},
                 {"level", check.level},
                 {"method", check.method},
                 {"population", std::string(to_string(check.population))},
                 {"images", check.images},
                 {"of", check.of},
                 {"text", to_text(check)}};
  if (!check.p) return object;
  object["p"] = *check.p;
  object["only_baseline"] = check.discordant.only_first;
  object["only_run"] = check.discordant.only_second;
  return object;
}

}  // namespace namid::eval
