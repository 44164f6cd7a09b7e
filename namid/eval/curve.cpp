// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/curve.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"

namespace namid::eval {
namespace {

using attacks::Norm;

std::string searches_of(const CurveOptions& options, Norm norm) {
  if (options.curve_attacks != "auto") return options.curve_attacks;
  if (norm == Norm::l2) return "fmn, deepfool, ddn, fab";
  return norm == Norm::l1 ? "fmn, fab" : "fmn, deepfool, fab";
}

std::string at_radius(const std::string& attack, double epsilon) {
  return str(attack, "@", epsilon);
}

AttackEntry anchor_at(double epsilon, Norm norm, const std::string& name) {
  attacks::NamedAttack attack(name);
  attack.budget() = {.norm = norm, .epsilon = epsilon};
  auto entry = entry_of(std::move(attack), at_radius(name, epsilon));
  entry.beyond = true;
  return entry;
}

/// Options of an anchor but for its epsilon: what a ledger must agree on.
std::string anchor_options(const CurveOptions& options, Norm norm, const std::string& name) {
  return str("anchors=", options.anchors, " attack=", name, " ", anchor_at(1, norm, name).options);
}

std::vector<CurveAttack> budgets_of(const Suite& suite) {
  std::vector<CurveAttack> all;
  for (const auto& attack : suite.attacks) all.push_back({attack.name, attack.budget.epsilon});
  return all;
}

}  // namespace

double box_radius(Norm norm, const std::vector<std::int64_t>& shape) {
  double entries = 1;
  for (const auto size : shape) entries *= static_cast<double>(size);
  return norm == Norm::linf ? 1 : norm == Norm::l2 ? std::sqrt(entries) : entries;
}

std::vector<double> parse_radii(const std::string& text, const std::string& option,
                                std::size_t least, double largest) {
  const auto refuse = [&](const std::string& got) {
    throw OptionError(str("[curve] ", option, ": expected ", least, " or more different numbers ",
                          "above 0 and at most ", largest, ", with commas, got ", got));
  };
  std::vector<double> radii;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    std::erase(word, ' ');
    try {
      radii.push_back(detail::parse_value<double>(word));
    } catch (const OptionError&) {
      refuse(str("'", word, "'"));
    }
    if (!(radii.back() > 0 && radii.back() <= largest)) refuse(str("'", word, "'"));
  }
  std::sort(radii.begin(), radii.end());
  if (std::adjacent_find(radii.begin(), radii.end()) != radii.end() || radii.size() < least)
    refuse(str("'", text, "'"));
  return radii;
}

Suite search_suite(const CurveOptions& options, Norm norm, const std::vector<std::int64_t>& shape,
                   std::int64_t classes) {
  attacks::validate_budget({.norm = norm, .epsilon = 0}, "curve");
  const double reach = box_radius(norm, shape);
  auto suite = make_suite({.suite = searches_of(options, norm), .combine = Combine::each},
                          {.budget = {.norm = norm, .epsilon = reach}});
  for (auto& attack : suite.attacks) {
    if (!is_search(attack.name))
      throw OptionError(str("[curve] curve_attacks: ", attack.name,
                            " does not look for the smallest norm; expected fmn, deepfool, ddn, "
                            "cw, fab or fab-t (fixed budgets: --epsilons)"));
    attack.nearest = true;
  }
  suite.name = "curve";
  const std::string anchor = classes < 4 ? "apgd-ce" : "apgd-t";
  std::vector<double> given;
  if (options.anchors != "auto") given = parse_radii(options.anchors, "anchors", 3, reach);
  suite.afterwards_options = anchor_options(options, norm, anchor);
  suite.afterwards = [norm, anchor, given, reach,
                      searches = budgets_of(suite)](const Ledger& ledger) {
    const auto data = curve_data(ledger, norm, searches);
    const SecurityCurve curve(data.radii([](const auto&) { return true; }), reach);
    std::vector<AttackEntry> checks;
    for (const double epsilon : given.empty() ? curve.check_points() : given)
      checks.push_back(anchor_at(epsilon, norm, anchor));
    return checks;
  };
  return suite;
}

Suite sweep_suite(const SuiteOptions& options, Norm norm, const std::vector<double>& epsilons) {
  Suite whole{.name = options.suite, .combine = Combine::worst_case, .attacks = {}};
  for (const double epsilon : epsilons) {
    attacks::PgdOptions pgd{.budget = {.norm = norm, .epsilon = epsilon}};
    pgd.steps = 40;
    for (auto& attack : make_suite(options, pgd).attacks) {
      if (attack.share || attack.learn)
        throw OptionError(str("[curve] suite: ", attack.name,
                              " ranks the images among all and leaves some out; expected another "
                              "suite (namid list suites), or 'a3(restarts=20)'"));
      attack.name = at_radius(attack.name, epsilon);
      whole.attacks.push_back(std::move(attack));
    }
  }
  return whole;
}

void check_curve(const EvaluateOptions& options) {
  const StoppingRule rule(options.stopping, 1);
  if (rule.active() || !options.shard.empty() || !options.sample_stage.empty())
    throw OptionError(
        "[curve] expected no stopping rule, shard or sampled stage: a curve needs every image");
}

CurveData data_of(const Ledger& ledger, const Suite& suite) {
  auto whole = suite;
  if (suite.afterwards)  // the same anchors again: those with nothing left to attack have no rows
    for (auto& anchor : suite.afterwards(ledger)) whole.attacks.push_back(std::move(anchor));
  return curve_data(ledger, suite.attacks.front().budget.norm, budgets_of(whole));
}

}  // namespace namid::eval
