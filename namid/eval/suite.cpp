// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/suite.h"

#include <algorithm>
#include <optional>

#include "namid/attacks/targets.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/eval/discarding.h"

namespace namid::eval {
namespace {

using attacks::Budget;
using attacks::Compat;
using attacks::NamedAttack;
using attacks::Norm;

std::string options_of(const OptionSet& set) {
  std::string text;
  for (const auto& entry : set.entries())
    text += str(text.empty() ? "" : " ", entry.key, "=", entry.text());
  return text;
}

void refuse_targeted(const OptionSet& set, const std::string& name) {
  for (const auto& entry : set.entries())
    if (entry.key == "targeted" && entry.text() == "true")
      throw OptionError(
          str("[evaluate] ", name, ": targeted: an evaluation needs untargeted attacks"));
}

void check_norm(const attacks::AttackInfo& info, Norm norm) {
  if (std::find(info.norms.begin(), info.norms.end(), norm) != info.norms.end()) return;
  std::string known;
  for (const auto each : info.norms) known += str(known.empty() ? "" : ", ", to_string(each));
  throw OptionError(str("[", info.name, "] norm: expected ", known, ", got ", to_string(norm)));
}

/// One attack of a suite: its name in the registry and options as text.
struct Member {
  std::string attack;
  std::vector<std::pair<std::string, std::string>> options;
};

bool has_option(const OptionSet& set, std::string_view key) {
  return std::any_of(set.entries().begin(), set.entries().end(),
                     [&](const auto& entry) { return entry.key == key; });
}

/// The attack towards classes that it is not told. A sample that ends in yet another class counts
/// as well: the runner asks for no more than a misclassification.
void aim(AttackEntry& entry, const NamedAttack& attack, attacks::Targets targets) {
  if (targets == attacks::Targets::given)
    throw OptionError(str("[evaluate] ", entry.name,
                          ": targets: an evaluation gives none; expected ",
                          "least-likely, random or all"));
  (void)attacks::towards_targets(attack);
  entry.options += str(" targets=", to_string(targets));
  entry.run = [attack, targets](const models::Classifier& model, const at::Tensor& x,
                                const at::Tensor& y, const attacks::Context& context) {
    return attacks::attack_targets(attack, model, x, y, targets, context).attack;
  };
}

AttackEntry entry_of(const Member& member, const Budget& budget, Compat compat) {
  NamedAttack attack(member.attack);
  OptionSet set;
  attack.add_options(set, member.attack);
  attack.budget() = budget;
  std::optional<attacks::Targets> targets;
  for (const auto& [key, value] : member.options) {
    if (key == "targets" && !has_option(set, key)) {
      targets = namid::detail::parse_value<attacks::Targets>(value);
      continue;
    }
    if (key == "norm" || key == "epsilon")
      throw OptionError(
          str("[", member.attack, "] ", key, ": is one for the whole suite; give --attack-", key));
    set.set(member.attack + "." + key, value);
  }
  if (compat == Compat::autoattack) {
    if (!has_option(set, "compat"))
      throw OptionError(str("[evaluate] compat: ", member.attack, " is not part of AutoAttack"));
    set.set(member.attack + ".compat", "autoattack");
  }
  auto entry = eval::entry_of(attack, member.attack);
  if (targets) aim(entry, attack, *targets);
  entry.sequential = compat == Compat::autoattack;
  return entry;
}

std::vector<Member> standard(Norm norm, const std::string& steps) {
  if (norm == Norm::l1)
    return {{"apgd-ce", {{"steps", steps}, {"restarts", "5"}, {"larger_epsilon", "true"}}},
            {"apgd-t", {{"steps", steps}, {"targets", "5"}, {"larger_epsilon", "true"}}},
            {"fab-t", {{"steps", steps}}},
            {"square", {}}};
  return {{"apgd-ce", {{"steps", steps}}},
          {"apgd-t", {{"steps", steps}}},
          {"fab-t", {{"steps", steps}}},
          {"square", {}}};
}

/// AutoAttack without FAB and Square.
std::vector<Member> first_two(std::vector<Member> members) {
  members.resize(2);
  return members;
}

std::vector<Member> plus(const std::string& steps) {
  const decltype(Member::options) five = {{"steps", steps}, {"restarts", "5"}};
  return {{"apgd-ce", five},
          {"apgd-dlr", five},
          {"fab", five},
          {"square", {}},
          {"apgd-t", {{"steps", steps}}},
          {"fab-t", {{"steps", steps}}}};
}

std::vector<Member> rand(const std::string& steps) {
  return {{"apgd-ce", {{"steps", steps}, {"eot", "20"}}},
          {"apgd-dlr", {{"steps", steps}, {"eot", "20"}}}};
}

std::vector<Member> quick() {
  return {{"apgd-ce", {{"steps", "20"}}}, {"apgd-t", {{"steps", "20"}, {"targets", "3"}}}};
}

std::string trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

/// Splits at commas outside parentheses.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  std::string part;
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (depth < 0 || depth > 1) break;
    if (c == ',' && depth == 0) {
      parts.push_back(trim(std::exchange(part, "")));
    } else {
      part += c;
    }
  }
  if (depth != 0) throw OptionError(str("[evaluate] suite: unmatched parenthesis in '", text, "'"));
  parts.push_back(trim(part));
  return parts;
}

/// "square(queries=1000, p_init=0.5)".
Member parse_member(const std::string& text) {
  const auto open = text.find('(');
  Member member{.attack = trim(text.substr(0, open)), .options = {}};
  if (member.attack.empty())
    throw OptionError("[evaluate] suite: expected the name of an attack between commas");
  if (open == std::string::npos) return member;
  for (const auto& setting : split(text.substr(open + 1, text.rfind(')') - open - 1))) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos)
      throw OptionError(
          str("[evaluate] suite: expected key=value in '", text, "', got '", setting, "'"));
    member.options.emplace_back(trim(setting.substr(0, equals)), trim(setting.substr(equals + 1)));
  }
  return member;
}

bool is_attack(const std::string& name) {
  const auto table = attacks::attack_table();
  return std::any_of(table.begin(), table.end(),
                     [&](const auto& info) { return info.name == name; });
}

std::vector<Member> parse_list(const std::string& text) {
  std::vector<Member> members;
  std::vector<std::string> seen;
  for (const auto& part : split(text)) {
    members.push_back(parse_member(part));
    const auto& name = members.back().attack;
    for (const auto& info : attacks::unbounded_attacks())
      if (name == info.name)
        throw OptionError(str("[evaluate] suite: no norm bounds ", name,
                              ", so that no suite has it; ", "give `namid attack --attack ", name,
                              "`"));
    if (!is_attack(name)) {
      std::vector<std::string> known;
      for (const auto& suite : list_suites()) known.emplace_back(suite.name);
      for (const auto& info : attacks::attack_table()) known.emplace_back(info.name);
      const auto guess = nearest(name, known);
      throw OptionError(str("[evaluate] suite: unknown suite or attack '", name, "'",
                            guess.empty() ? "" : "; did you mean '" + guess + "'?",
                            " (`namid list suites` and `namid list attacks` show all)"));
    }
    if (std::find(seen.begin(), seen.end(), name) != seen.end())
      throw OptionError(str("[evaluate] suite: ", name, " stands twice; use its restarts"));
    seen.push_back(name);
  }
  return members;
}

std::vector<Member> members_of(const SuiteOptions& options, Norm norm) {
  const std::string steps = options.aa_version == AutoAttackVersion::v2023 ? "100" : "40";
  if (options.suite == "autoattack") return standard(norm, steps);
  if (options.suite == "autoattack-plus") return plus(steps);
  if (options.suite == "autoattack-rand") return rand(steps);
  if (options.suite == "apgd-ce+t") return first_two(standard(norm, steps));
  if (options.suite == "malt") return {{"malt", {}}};
  if (options.suite == "quick") return quick();
  return parse_list(options.suite);
}

bool is_list(const std::string& suite) {
  const auto suites = list_suites();
  return std::none_of(suites.begin(), suites.end(),
                      [&](const auto& info) { return info.name == suite; });
}

}  // namespace

std::vector<SuiteInfo> list_suites() {
  return {
      {"pgd", "pgd", "PGD with the options --attack-..."},
      {"autoattack", "apgd-ce, apgd-t, fab-t, square", "AutoAttack, version standard"},
      {"autoattack-plus", "apgd-ce, apgd-dlr, fab, square, apgd-t, fab-t",
       "AutoAttack, version plus: 5 restarts of the first three"},
      {"autoattack-rand", "apgd-ce, apgd-dlr",
       "AutoAttack, version rand, for models that draw random numbers: 20 draws a step"},
      {"apgd-ce+t", "apgd-ce, apgd-t",
       "AutoAttack without fab-t and square: an upper bound of its figure, never to be called so"},
      {"malt", "malt", "targeted Auto-PGD, the nearest linearised boundaries first"},
      {"a3", "a3", "68 short rounds, most of them on the images nearest to the boundary alone"},
      {"quick", "apgd-ce, apgd-t", "20 steps, 3 targets: comparable with no published figure"}};
}

AttackEntry entry_of(attacks::NamedAttack attack, std::string name) {
  check_norm(attack.info(), attack.budget().norm);
  attack.validate();
  OptionSet set;
  attack.add_options(set, "");
  refuse_targeted(set, name);
  return {.name = std::move(name),
          .budget = attack.budget(),
          .options = options_of(set),
          .run = attack,
          .rounds = [attack](std::int64_t classes) { return attack.rounds(classes); },
          .min_classes = attack.info().min_classes};
}

void check_classes(const Suite& suite, std::int64_t classes) {
  std::string possible;
  for (const auto& attack : suite.attacks)
    if (classes >= attack.min_classes) possible += (possible.empty() ? "" : ", ") + attack.name;
  for (const auto& attack : suite.attacks)
    if (classes < attack.min_classes)
      throw OptionError(str("[evaluate] ", attack.name, ": needs ", attack.min_classes,
                            " classes, the model has ", classes,
                            possible.empty() ? "" : "; give --suite '" + possible + "'"));
}

AttackEntry pgd_entry(const attacks::PgdOptions& options) {
  NamedAttack attack("pgd");
  auto copy = options;
  OptionSet from, to;
  from.add("", copy);
  attack.add_options(to, "");
  for (const auto& entry : from.entries()) to.set(entry.key, entry.text());
  return entry_of(std::move(attack), str("pgd-", options.steps));
}

Suite make_suite(const SuiteOptions& options, const attacks::PgdOptions& pgd) {
  attacks::validate_budget(pgd.budget, "attack",
                           {Norm::linf, Norm::l2, Norm::l1, Norm::wasserstein});
  attacks::check_compat(options.compat, {Compat::autoattack}, "evaluate");
  Suite suite{.name = options.suite, .combine = Combine::worst_case, .attacks = {}};
  if (options.suite == "pgd") {
    if (options.compat != Compat::none)
      throw OptionError("[evaluate] compat: pgd is not part of AutoAttack");
    suite.combine = Combine::each;
    suite.attacks = {pgd_entry(pgd)};
  } else if (options.suite == "a3") {
    if (options.compat != Compat::none)
      throw OptionError("[evaluate] compat: a3 is not part of AutoAttack");
    suite.attacks = {a3_protocol(pgd.budget)};
  } else {
    if (is_list(options.suite)) suite.combine = Combine::each;
    for (const auto& member : members_of(options, pgd.budget.norm))
      suite.attacks.push_back(entry_of(member, pgd.budget, options.compat));
  }
  suite.combine = options.combine.value_or(suite.combine);
  return suite;
}

}  // namespace namid::eval
