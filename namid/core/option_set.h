// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "namid/core/options.h"

namespace namid {

/// A field's value without its C++ type; enumerations and "auto" are text.
using OptionValue = std::variant<bool, std::int64_t, double, std::string, std::vector<double>>;

/// One option, detached from the struct it lives in: what flags, TOML, JSON, Python and docs need.
struct OptionEntry {
  std::string section;  ///< "" for a command's own options, else e.g. "attack"
  std::string key;      ///< field name, e.g. "step_size"
  std::string help;
  std::string type;                  ///< "bool", "int", "number", "text", "choice", "list"
  std::string range;                 ///< as Range::text, empty if none
  std::vector<std::string> choices;  ///< enumerators
  std::string default_text;          ///< value when the entry was added
  bool alone = true;                 ///< its key alone names it, unless another such entry has it
  std::function<OptionValue()> get;
  std::function<std::string()> text;               ///< present value, reads back exactly
  std::function<void(std::string_view)> set_text;  ///< throws OptionError
  std::string path() const { return section.empty() ? key : section + "." + key; }
  std::string flag() const;  ///< "--attack-step-size"
};

/// The options of a command: references into option structs, which must outlive the set.
class OptionSet {
 public:
  /// Adds every field of `options` (nested structs flattened) under `section`. alone = false: the
  /// keys are named with their section only, so that they take no short name from another section.
  template <OptionStruct Options>
  OptionSet& add(std::string section, Options& options, bool alone = true);

  const std::deque<OptionEntry>& entries() const { return entries_; }

  /// Entry for "attack.steps", or for "steps" if only one section has that key.
  /// Throws OptionError with the nearest match if there is none.
  const OptionEntry& find(std::string_view path) const;

  /// Parses and assigns; throws OptionError "[attack] steps: expected ≥ 1, got 0".
  void set(std::string_view path, std::string_view text) const;

 private:
  void add_entry(OptionEntry entry);
  std::deque<OptionEntry> entries_;
};

/// Markdown table (option, type, default, meaning) of the entries, for the docs page.
std::string option_table_markdown(const OptionSet& set);

namespace detail {
template <class T>
constexpr std::string_view type_name();
template <class T>
T parse_value(std::string_view text);
template <class T>
OptionValue to_value(const T& value);
std::string value_text(const OptionValue& value);
std::vector<std::string_view> split_list(std::string_view text);
std::int64_t parse_integer(std::string_view text, std::int64_t low, std::int64_t high);
std::uint64_t parse_unsigned(std::string_view text);
bool parse_bool(std::string_view text);
[[noreturn]] void fail_choice(std::string_view text, const std::vector<std::string>& choices);
}  // namespace detail

}  // namespace namid

#include "namid/core/option_set_inl.h"
