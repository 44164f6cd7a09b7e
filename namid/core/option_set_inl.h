// SPDX-License-Identifier: Apache-2.0
#pragma once

// Templates of option_set.h: one place that knows how each C++ type is parsed, printed and named.

#include <cmath>

#include "namid/core/option_set.h"

namespace namid::detail {

template <class T>
struct IsAutomatic : std::false_type {};
template <class T>
struct IsAutomatic<Automatic<T>> : std::true_type {
  using Value = T;
};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {
  using Value = T;
};

template <class T>
constexpr std::string_view type_name() {
  if constexpr (std::is_same_v<T, bool>) return "bool";
  if constexpr (std::is_enum_v<T>) return "choice";
  if constexpr (std::is_integral_v<T>) return "int";
  if constexpr (std::is_floating_point_v<T>) return "number";
  if constexpr (IsVector<T>::value) return "list";
  if constexpr (IsAutomatic<T>::value) return type_name<typename IsAutomatic<T>::Value>();
  return "text";
}

template <class E>
std::vector<std::string> choices_of() {
  return {EnumNames<E>::kNames.begin(), EnumNames<E>::kNames.end()};
}

/// Enumerators, with "auto" where that is a value; empty for other types.
template <class T>
std::vector<std::string> shown_choices() {
  std::vector<std::string> choices;
  if constexpr (std::is_enum_v<T>) {
    choices = choices_of<T>();
  } else if constexpr (IsAutomatic<T>::value) {
    choices = shown_choices<typename IsAutomatic<T>::Value>();
    if (!choices.empty()) choices.insert(choices.begin(), "auto");
  }
  return choices;
}

template <class T>
T parse_value(std::string_view text) {
  if constexpr (std::is_same_v<T, bool>) {
    return parse_bool(text);
  } else if constexpr (std::is_enum_v<T>) {
    const auto choices = choices_of<T>();
    for (std::size_t i = 0; i < choices.size(); ++i)
      if (choices[i] == text) return static_cast<T>(i);
    fail_choice(text, choices);
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return parse_unsigned(text);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(
        parse_integer(text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(parse_number(text));
  } else if constexpr (IsAutomatic<T>::value) {
    if (text == "auto") return {};
    return parse_value<typename IsAutomatic<T>::Value>(text);
  } else if constexpr (IsVector<T>::value) {
    T items;
    for (const auto item : split_list(text))
      items.push_back(parse_value<typename IsVector<T>::Value>(item));
    return items;
  } else {
    return T(text);
  }
}

template <class T>
OptionValue to_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(to_string(value));
  } else if constexpr (std::is_integral_v<T>) {
    if (std::cmp_greater(value, std::numeric_limits<std::int64_t>::max()))
      return std::to_string(value);  // a seed above 2^63 - 1 stays exact as text
    return static_cast<std::int64_t>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(value);
  } else if constexpr (IsAutomatic<T>::value) {
    return value.is_auto() ? OptionValue(std::string("auto")) : to_value(value.value_or({}));
  } else if constexpr (IsVector<T>::value) {
    return std::vector<double>(value.begin(), value.end());
  } else {
    return std::string(value);
  }
}

template <class T, class Owner>
OptionEntry make_entry(const std::string& section, const Field<Owner, T>& f, Owner& owner) {
  OptionEntry entry;
  entry.section = section;
  entry.key = f.name;
  entry.help = f.help;
  entry.type = type_name<T>();
  if (std::isfinite(f.range.low) || std::isfinite(f.range.high)) entry.range = f.range.text();
  entry.choices = shown_choices<T>();
  T* slot = &(owner.*f.member);
  entry.default_text = value_text(to_value(*slot));
  entry.get = [slot] { return to_value(*slot); };
  entry.text = [slot] { return value_text(to_value(*slot)); };
  entry.set_text = [slot, where = section, name = entry.key,
                    range = f.range](std::string_view text) {
    const std::string_view shown = where.empty() ? "options" : std::string_view(where);
    T value;
    try {
      value = parse_value<T>(text);
    } catch (const OptionError& error) {
      throw OptionError(str("[", shown, "] ", name, ": ", error.what()));
    }
    check_range(shown, name, range, value);
    *slot = std::move(value);
  };
  return entry;
}

}  // namespace namid::detail

namespace namid {

template <OptionStruct Options>
OptionSet& OptionSet::add(std::string section, Options& options, bool alone) {
  const auto add_field = [&](const auto& f) {
    auto& value = options.*f.member;
    if constexpr (OptionStruct<std::remove_reference_t<decltype(value)>>) {
      add(section, value, alone);
    } else {
      auto entry = detail::make_entry(section, f, options);
      entry.alone = alone;
      add_entry(std::move(entry));
    }
  };
  std::apply([&](const auto&... f) { (add_field(f), ...); }, Options::fields());
  return *this;
}

}  // namespace namid
