// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/curve_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <sstream>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/eval/attempt_norm.h"

namespace namid::eval {
namespace {

constexpr std::array<std::string_view, 6> kSearches{"fmn", "deepfool", "ddn", "cw", "fab", "fab-t"};

/// The value of "key=" in an attack's options as a ledger keeps them.
std::optional<std::string> setting(const std::string& options, const std::string& key) {
  std::istringstream words(options);
  for (std::string word; words >> word;)
    if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
  return {};
}

std::string options_in(const Ledger::Identity& identity, const std::string& attack) {
  const auto found = identity.find("attack " + attack);
  return found == identity.end() ? "" : found->second;
}

/// The ledger's attacks in the order of the suite; those decided on later behind.
std::vector<std::string> names_in(const NamedLedger& run, const Ledger::Identity& identity) {
  const auto held = run.ledger.attacks();
  std::vector<std::string> names;
  std::istringstream listed(identity.at("attacks"));
  for (std::string name; std::getline(listed, name, ',');)
    if (std::find(held.begin(), held.end(), name) != held.end()) names.push_back(name);
  for (const auto& name : held)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

/// "apgd-t@0.3" has its budget in its name.
double budget_of(const NamedLedger& run, const std::string& name, const std::string& options) {
  const auto at = name.find('@');
  const auto text = at == std::string::npos ? setting(options, "epsilon") : name.substr(at + 1);
  if (!text)
    throw DataError(str(run.name, ": the ledger does not tell the epsilon of ", name,
                        "; leave this run out of --from"));
  return detail::parse_value<double>(*text);
}

std::optional<attacks::Norm> norm_in(const Ledger::Identity& identity) {
  for (const auto& [key, options] : identity)
    if (key.starts_with("attack "))
      if (const auto norm = setting(options, "norm"))
        return detail::parse_value<attacks::Norm>(*norm);
  return {};
}

void check_same(const NamedLedger& first, const NamedLedger& other) {
  const auto a = first.ledger.identity(), b = other.ledger.identity();
  const std::pair<const char*, const char*> parts[] = {
      {"model", "another model"}, {"data", "other images"}, {"ids", "other images"}};
  for (const auto& [key, words] : parts)
    if (a.at(key) != b.at(key))
      throw DataError(str("[curve] ", other.name, ": evaluates ", words, " than ", first.name,
                          "; a curve needs runs of one model on the same images"));
}

void check_finished(const NamedLedger& run, const CurveData& data) {
  std::set<std::uint64_t> tried;
  for (const auto& attack : data.attacks)
    for (const auto& attempt : run.ledger.attempts(attack.name)) tried.insert(attempt.sample);
  const auto left = std::count_if(data.natural.begin(), data.natural.end(), [&](const auto& row) {
    return row.second && !tried.contains(row.first);
  });
  if (left > 0)
    throw DataError(str("[curve] ", run.name, ": ", left,
                        " correctly classified images were not attacked; go on with: namid "
                        "resume ",
                        run.name));
}

CurveData read(const NamedLedger& run) {
  const auto identity = run.ledger.identity();
  if (identity.contains("shard"))
    throw DataError(str("[curve] ", run.name,
                        ": is one shard of a data set; join them with: namid "
                        "ledger merge RUN..."));
  const auto norm = norm_in(identity);
  if (!norm)
    throw DataError(
        str("[curve] ", run.name, ": the ledger does not tell the norm of its attacks"));
  std::vector<CurveAttack> attacks;
  for (const auto& name : names_in(run, identity))
    attacks.push_back({name, budget_of(run, name, options_in(identity, name))});
  auto data = curve_data(run.ledger, *norm, attacks);
  check_finished(run, data);
  return data;
}

void add_attack(CurveData& data, AttackRadii attack) {
  const auto held = std::find_if(data.attacks.begin(), data.attacks.end(), [&](const auto& other) {
    return other.name == attack.name && other.epsilon == attack.epsilon;
  });
  if (held == data.attacks.end()) {
    data.attacks.push_back(std::move(attack));
    return;
  }
  held->attacked = std::max(held->attacked, attack.attacked);
  held->refuted += attack.refuted;
  held->forwards += attack.forwards;
  held->backwards += attack.backwards;
  held->seconds += attack.seconds;
  for (const auto& [sample, radius] : attack.radii) {
    const auto known = held->radii.try_emplace(sample, radius).first;
    known->second = std::min(known->second, radius);
  }
}

}  // namespace

bool is_search(std::string_view name) {
  constexpr std::string_view kTransfer = "transfer:";
  if (name.starts_with(kTransfer)) name.remove_prefix(kTransfer.size());
  return std::find(kSearches.begin(), kSearches.end(), name) != kSearches.end();
}

std::vector<double> CurveData::radii(const std::function<bool(const AttackRadii&)>& chosen) const {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::map<std::uint64_t, double> smallest;
  for (const auto& [sample, correct] : natural) smallest[sample] = correct ? kNever : 0;
  for (const auto& attack : attacks)
    if (chosen(attack))
      for (const auto& [sample, radius] : attack.radii)
        smallest.at(sample) = std::min(smallest.at(sample), radius);
  std::vector<double> out;
  for (const auto& [sample, radius] : smallest) out.push_back(radius);
  return out;
}

bool CurveData::has_search() const {
  return std::any_of(attacks.begin(), attacks.end(),
                     [](const auto& attack) { return attack.search; });
}

double CurveData::reach() const {
  double largest = 0;
  for (const auto& attack : attacks) largest = std::max(largest, attack.epsilon);
  return largest;
}

CurveData curve_data(const Ledger& ledger, attacks::Norm norm,
                     const std::vector<CurveAttack>& attacks) {
  CurveData data{.norm = norm, .natural = {}, .attacks = {}};
  for (const auto& sample : ledger.samples()) data.natural[sample.sample] = sample.correct;
  for (const auto& [name, epsilon] : attacks) {
    AttackRadii attack{.name = name, .epsilon = epsilon, .search = is_search(name), .radii = {}};
    std::set<std::uint64_t> attacked;
    for (const auto& attempt : ledger.attempts(name)) {
      attacked.insert(attempt.sample);
      attack.refuted += attempt.refuted;
      attack.forwards += attempt.forwards;
      attack.backwards += attempt.backwards;
      if (std::isfinite(attempt.seconds)) attack.seconds += attempt.seconds;
      if (!attempt.success) continue;
      const double radius = std::min(norm_of(attempt, norm), epsilon);
      const auto known = attack.radii.try_emplace(attempt.sample, radius).first;
      known->second = std::min(known->second, radius);
    }
    attack.attacked = std::ssize(attacked);
    data.attacks.push_back(std::move(attack));
  }
  return data;
}

CurveData joined_curve_data(const std::vector<NamedLedger>& ledgers) {
  if (ledgers.empty()) throw DataError("[curve] expected at least one run, got none");
  auto data = read(ledgers.front());
  for (std::size_t i = 1; i < ledgers.size(); ++i) {
    check_same(ledgers.front(), ledgers[i]);
    auto other = read(ledgers[i]);
    if (other.norm != data.norm)
      throw DataError(str("[curve] ", ledgers[i].name, ": its attacks are of norm ",
                          to_string(other.norm), ", those of ", ledgers.front().name, " of ",
                          to_string(data.norm), "; a curve has one norm"));
    if (other.natural != data.natural)
      throw DataError(str("[curve] ", ledgers[i].name,
                          ": holds other images, or other natural "
                          "predictions, than ",
                          ledgers.front().name));
    for (auto& attack : other.attacks) add_attack(data, std::move(attack));
  }
  const auto correct = std::count_if(data.natural.begin(), data.natural.end(),
                                     [](const auto& row) { return row.second; });
  for (auto& attack : data.attacks) attack.search = attack.search && attack.attacked == correct;
  if (!data.has_search())
    throw DataError(str("[curve] ", ledgers.front().name, ledgers.size() > 1 ? " ..." : "",
                        ": no attack looked for the smallest norm of every correctly classified "
                        "image (fmn, deepfool, ddn, cw, fab); make such a run with: namid curve "
                        "MODEL --norm ",
                        to_string(data.norm)));
  return data;
}

}  // namespace namid::eval
