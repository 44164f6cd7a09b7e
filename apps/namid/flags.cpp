// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/flags.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "namid/io/records.h"

namespace namid::app {
namespace {

std::string dashed(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

/// A section's "name" has the section's own flag, "--attack"; empty for other options.
std::string section_flag(const OptionEntry& entry) {
  return entry.key == "name" && !entry.section.empty() ? dashed(entry.section) : "";
}

std::string flag_names(const OptionEntry& entry, const std::map<std::string, int>& key_count) {
  std::string names = entry.flag();
  if (const auto own = section_flag(entry); !own.empty()) return names + "," + own;
  if (!entry.alone) return names;
  const auto alone = dashed(entry.key);
  if (alone != names && key_count.at(entry.key) == 1) names += "," + alone;
  if (entry.key == "epsilon" && key_count.at("epsilon") == 1) names += ",--eps";
  return names;
}

std::string shown_type(const OptionEntry& entry) {
  if (entry.choices.empty()) return entry.type;
  std::string text;
  for (const auto& choice : entry.choices) text += (text.empty() ? "" : "|") + choice;
  return text;
}

std::string read_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw OptionError(str("--config: cannot read ", path));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What `flag` is given at this place: "--flag value" or "--flag=value".
std::optional<std::string> value_at(std::span<const std::string> arguments,
                                    const std::string& flag) {
  const auto& word = arguments.front();
  if (word.starts_with(flag + "=")) return word.substr(flag.size() + 1);
  if (word == flag && arguments.size() > 1) return arguments[1];
  return std::nullopt;
}

}  // namespace

Flags::Flags(CLI::App& app, OptionSet set) : app_(app), set_(std::move(set)) {
  app.allow_extras();  // so that unknown flags are answered with the nearest match
  app.add_option("--config", *config_, "TOML file with options; flags win over it")
      ->type_name("FILE");
  app.add_option("--set", *assignments_, "section.key=value, as in a TOML file")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  std::map<std::string, int> key_count;
  for (const auto& entry : set_.entries()) key_count[entry.key] += entry.alone;
  for (const auto& entry : set_.entries()) {
    auto given = std::make_unique<Given>();
    given->path = entry.path();
    const auto names = flag_names(entry, key_count);
    auto help = entry.help;
    if (!entry.range.empty()) help += " (" + entry.range + ")";
    if (entry.type == "bool") {
      given->option = app.add_flag(names + "{true}", given->text, help);
    } else {
      given->option = app.add_option(names, given->text, help)->type_name(shown_type(entry));
    }
    given->option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    given->option->default_str(entry.default_text);
    given->option->group(entry.section.empty() ? "Options" : "[" + entry.section + "]");
    given_.push_back(std::move(given));
  }
}

void refuse_extras(const CLI::App& app) {
  const auto extras = app.remaining();
  if (extras.empty()) return;
  const auto& first = extras.front();
  if (first.rfind("--", 0) != 0)
    throw OptionError(
        str("unexpected argument '", first, "' (see namid ", app.get_name(), " --help)"));
  std::vector<std::string> known;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  const auto word = first.substr(0, first.find('='));
  const auto guess = nearest(word, known);
  throw OptionError(str("unknown flag '", word, "'",
                        guess.empty() ? str(" (see namid ", app.get_name(), " --help)")
                                      : str("; did you mean '", guess, "'?")));
}

void Flags::apply(const std::function<void()>& choose_defaults) const {
  refuse_extras(app_);
  const auto config = config_->empty() ? "" : read_config(*config_);
  assign(config);
  if (!choose_defaults) return;
  choose_defaults();
  assign(config);
}

void Flags::assign(const std::string& config) const {
  if (!config_->empty()) io::apply_toml(set_, config, *config_);
  for (const auto& given : given_)
    if (given->option->count() > 0) set_.set(given->path, given->text);
  for (const auto& assignment : *assignments_) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos)
      throw OptionError(str("--set: expected KEY=VALUE, got '", assignment, "'"));
    set_.set(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
}

std::optional<std::string> find_given(const OptionEntry& entry,
                                      std::span<const std::string> arguments) {
  std::optional<std::string> in_file, by_flag, assigned;
  for (auto rest = arguments; !rest.empty(); rest = rest.subspan(1)) {
    for (const auto& flag : {entry.flag(), section_flag(entry)})
      if (entry.type == "bool" && rest.front() == flag)
        by_flag = "true";  // the next word is not its value
      else if (const auto value = value_at(rest, flag); value && !flag.empty())
        by_flag = value;
    if (const auto path = value_at(rest, "--config"))
      in_file = io::find_in_toml(read_config(*path), entry.path(), *path);
    if (const auto value = value_at(rest, "--set"))
      for (const auto& key : {entry.path(), entry.key})
        if (value->starts_with(key + "=")) assigned = value->substr(key.size() + 1);
  }
  return assigned ? assigned : by_flag ? by_flag : in_file;
}

}  // namespace namid::app
