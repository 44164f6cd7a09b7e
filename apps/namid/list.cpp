// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdio>
#include <deque>

#include "apps/namid/attack_command.h"
#include "apps/namid/command.h"
#include "apps/namid/demo_command.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/flags.h"
#include "apps/namid/mi_command.h"
#include "apps/namid/recipe_list.h"
#include "apps/namid/train_command.h"
#include "apps/namid/verify_command.h"
#include "namid/attacks/registry.h"
#include "namid/core/format.h"
#include "namid/data/formats.h"
#include "namid/defenses/registry.h"
#include "namid/eval/suite.h"
#include "namid/io/records.h"
#include "namid/mi/bound.h"
#include "namid/models/registry.h"

namespace namid::app {
namespace {

Rows list_models() {
  Rows rows;
  for (const auto& model : models::list_models())
    rows.push_back(
        {{"name", model.name}, {"description", model.description}, {"paper", model.paper}});
  return rows;
}

Rows list_defenses() {
  Rows rows;
  for (const auto& defense : defenses::list_defenses())
    rows.push_back({{"name", defense.name},
                    {"description", defense.description},
                    {"paper", defense.paper},
                    {"estimators", defense.estimators},
                    {"reference", defense.in_reference ? "yes" : "no"}});
  return rows;
}

/// "linf 8/255": radii in steps of 8-bit images where they are such.
std::string default_budget(const attacks::Budget& budget) {
  if (budget.norm == attacks::Norm::none) return "none";
  const double steps = budget.epsilon * 255;
  const auto number = shortest(budget.epsilon);
  const bool fraction = number.size() > 6 && steps == std::round(steps);
  return str(to_string(budget.norm), " ", fraction ? str(shortest(steps), "/255") : number);
}

void add_attacks(Rows& rows, std::span<const attacks::AttackInfo> table) {
  for (const auto& attack : table) {
    std::string norms;
    for (const auto norm : attack.norms)
      norms += (norms.empty() ? "" : ", ") + std::string(to_string(norm));
    rows.push_back({{"name", std::string(attack.name)},
                    {"norms", norms},
                    {"budget", default_budget(attack.budget)},
                    {"targeted", attack.targeted ? "yes" : "no"},
                    {"gradient", attack.gradient ? "yes" : "no"},
                    {"paper", std::string(attack.paper)},
                    {"description", std::string(attack.summary)}});
  }
}

Rows list_attacks() {
  Rows rows;
  add_attacks(rows, attacks::attack_table());
  add_attacks(rows, attacks::unbounded_attacks());
  return rows;
}

Rows list_data() {
  Rows rows;
  for (const auto& data : data::list_datasets())
    rows.push_back({{"name", data.name}, {"files", data.files}, {"description", data.description}});
  return rows;
}

Rows list_suites() {
  Rows rows;
  for (const auto& suite : eval::list_suites())
    rows.push_back({{"name", std::string(suite.name)},
                    {"attacks", std::string(suite.attacks)},
                    {"description", std::string(suite.description)}});
  return rows;
}

Rows list_bounds() {
  Rows rows;
  for (const auto& bound : mi::bound_table())
    rows.push_back({{"name", std::string(to_string(bound.bound))},
                    {"kind", std::string(to_string(bound.kind))},
                    {"holds", std::string(bound.holds)},
                    {"paper", std::string(bound.paper)},
                    {"description", std::string(bound.note)}});
  return rows;
}

/// A text within a table: a bar would end its cell.
std::string markdown_cell(const std::string& text) {
  std::string made;
  for (const char c : text) made += c == '|' ? std::string("\\|") : std::string(1, c);
  return made;
}

std::string render(const Rows& rows, bool markdown) {
  if (rows.empty()) return "";
  std::vector<std::size_t> widths(rows.front().size());
  for (std::size_t c = 0; c < widths.size(); ++c) {
    widths[c] = rows.front()[c].first.size();
    for (const auto& row : rows) widths[c] = std::max(widths[c], row[c].second.size());
  }
  std::string text;
  const auto add_line = [&](auto cell) {
    std::string line = markdown ? "|" : "";
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string value = cell(c);
      line += markdown ? " " + markdown_cell(value) + " |"
                       : value + std::string(widths[c] - value.size() + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add_line([&](std::size_t c) { return rows.front()[c].first; });
  if (markdown) add_line([](std::size_t) { return std::string("---"); });
  for (const auto& row : rows) add_line([&](std::size_t c) { return row[c].second; });
  return text;
}

/// The options of one command, or of one choice within it, and what they live in.
struct OptionPage {
  std::string title;  ///< "train", "attack --attack pgd"
  OptionSet options;
  std::shared_ptr<void> owner;
};

std::vector<OptionPage> option_pages() {
  std::vector<OptionPage> pages;
  for (const auto* name : {"demo", "train", "estimate", "evaluate", "transfer", "curve", "certify",
                           "masking", "mi", "reproduce"}) {
    std::shared_ptr<RunCommand> command = make_command(name);
    pages.push_back({name, command->options(), command});
  }
  auto validation = std::make_shared<MiCommand>();
  validation->task.validate = true;
  pages.push_back({"mi --validate", validation->options(), validation});
  auto attack = std::make_shared<AttackCommand>();
  pages.push_back({"attack", attack->common_options(), attack});
  for (const auto table : {attacks::attack_table(), attacks::unbounded_attacks()})
    for (const auto& info : table) {
      auto named = std::make_shared<attacks::NamedAttack>(info.name);
      OptionSet options;
      named->add_options(options, "attack");
      pages.push_back({str("attack --attack ", info.name), std::move(options), named});
    }
  auto verify = std::make_shared<VerifyCommand>();
  pages.push_back({"verify", verify->options(), verify});
  return pages;
}

/// A command under a profile, and the options whose defaults that changes.
struct ProfilePage {
  std::string title;
  std::deque<OptionEntry> changed;
  std::shared_ptr<RunCommand> owner;
};

/// `choices`: the flags that lead there, by key.
ProfilePage profile_page(const std::string& name,
                         const std::vector<std::pair<std::string, std::string>>& choices) {
  ProfilePage page{name, {}, make_command(name)};
  const auto plain = page.owner->options();
  for (const auto& [key, value] : choices) {
    plain.set(key, value);
    page.title += str(" --", key, " ", value);
  }
  const auto chosen = page.owner->options();  // its defaults: what was chosen, and no profile yet
  page.owner->apply_profile();
  const auto profiled = page.owner->options();
  for (const auto& entry : profiled.entries())
    if (entry.default_text != chosen.find(entry.path()).default_text) page.changed.push_back(entry);
  return page;
}

std::vector<ProfilePage> profile_pages() {
  return {profile_page("train", {{"profile", "reference"}}),
          profile_page("train", {{"profile", "reference"}, {"defense", "namid"}}),
          profile_page("estimate", {{"profile", "reference"}}),
          profile_page("estimate", {{"profile", "reference"}, {"objective", "separate"}})};
}

std::string options_markdown() {
  std::string text =
      "# Options\n\nThis page is generated: `namid list options --markdown`. Precedence: default < "
      "profile < `--config FILE` (TOML) < flag.\nA flag `--section-key` is `key` under `[section]` "
      "in TOML "
      "and "
      "`--set section.key=value`; `--key` alone works where only\none section has the key (those "
      "of "
      "`[adaptive]` and `[estimate]` are always written in full). Fractions\nsuch as `8/255` are "
      "numbers; lists are written `75,90`.\n";
  for (const auto& page : option_pages())
    text += "\n## namid " + page.title + "\n\n" + option_table_markdown(page.options);
  for (const auto& page : profile_pages()) {
    text += "\n## namid " + page.title + "\n\n| option | default of this profile |\n|---|---|\n";
    for (const auto& entry : page.changed)
      text += str("| `", entry.flag(), "` | `", entry.default_text, "` |\n");
  }
  return text;
}

json options_json() {
  json all = json::object();
  for (const auto& page : option_pages()) {
    for (const auto& entry : page.options.entries())
      all[page.title].push_back({{"flag", entry.flag()},
                                 {"path", entry.path()},
                                 {"type", entry.type},
                                 {"default", entry.default_text},
                                 {"choices", entry.choices},
                                 {"range", entry.range},
                                 {"help", entry.help}});
  }
  for (const auto& page : profile_pages())
    for (const auto& entry : page.changed)
      all[page.title].push_back(
          {{"flag", entry.flag()}, {"path", entry.path()}, {"default", entry.default_text}});
  return all;
}

json rows_json(const Rows& rows) {
  json list = json::array();
  for (const auto& row : rows) {
    json item;
    for (const auto& [key, value] : row) item[key] = value;
    list.push_back(item);
  }
  return list;
}

}  // namespace

void add_list(CLI::App& app) {
  struct State {
    std::string what;
    std::string write;
    bool as_json = false, markdown = false;
  };
  auto state = std::make_shared<State>();
  auto* sub = app.add_subcommand(
      "list", "attacks, bounds, defenses, models, data, recipes, suites or options");
  sub->allow_extras();
  sub->add_option("WHAT", state->what,
                  "attacks, bounds, defenses, models, data, recipes, suites or options")
      ->required();
  sub->add_option("--write", state->write, "for recipes: folder to write them to as TOML files");
  sub->add_flag("--json", state->as_json, "as JSON");
  sub->add_flag("--markdown", state->markdown, "as a Markdown table");
  sub->callback([state, sub] {
    refuse_extras(*sub);
    if (!state->write.empty()) {
      if (state->what != "recipes")
        throw OptionError("list: --write goes with recipes alone: namid list recipes --write DIR");
      write_recipes(state->write);
      return;
    }
    if (state->what == "options") {
      std::puts(state->as_json ? options_json().dump(2).c_str() : options_markdown().c_str());
      return;
    }
    const std::map<std::string, Rows (*)()> lists = {
        {"attacks", list_attacks},   {"bounds", list_bounds}, {"data", list_data},
        {"defenses", list_defenses}, {"models", list_models}, {"recipes", list_recipes},
        {"suites", list_suites}};
    const auto found = lists.find(state->what);
    if (found == lists.end()) {
      const auto guess = nearest(state->what, {"attacks", "bounds", "data", "defenses", "models",
                                               "recipes", "suites", "options"});
      throw OptionError(
          str("list: expected attacks, bounds, data, defenses, models, recipes, suites or options, "
              "got '",
              state->what, "'", guess.empty() ? "" : "; did you mean '" + guess + "'?"));
    }
    const auto rows = found->second();
    if (state->as_json) {
      std::puts(rows_json(rows).dump(2).c_str());
    } else {
      std::fputs(render(rows, state->markdown).c_str(), stdout);
    }
  });
}

}  // namespace namid::app
