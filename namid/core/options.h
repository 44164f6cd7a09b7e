// SPDX-License-Identifier: Apache-2.0
#pragma once

// Options are declared once. A component's options are an aggregate whose member initialisers are
// the defaults, with one table that adds name, help and range:
//
//   struct PgdOptions {
//     int steps = 10;
//     static constexpr auto fields() {
//       return std::tuple{field("steps", &PgdOptions::steps, "gradient steps", at_least(1))};
//     }
//   };
//   NAMID_CHECK_FIELDS(PgdOptions);
//
// Everything else is derived from the table: `validate` below, and through `OptionSet`
// (option_set.h) command-line flags, TOML keys, the JSON record, Python keyword arguments and the
// option page of the docs.

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid {

/// A value that may be left to namid. Text form: the value, or "auto".
template <class T>
class Automatic {
 public:
  constexpr Automatic() = default;
  constexpr Automatic(T value) : set_(true), value_(value) {}  // NOLINT: implicit by design
  constexpr bool is_auto() const { return !set_; }
  constexpr T value_or(T automatic) const { return set_ ? value_ : automatic; }
  friend constexpr bool operator==(const Automatic&, const Automatic&) = default;

 private:
  bool set_ = false;
  T value_ = {};
};

/// Numbers a field accepts. The default accepts every finite number.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;

  bool contains(double value) const;  ///< false for NaN
  std::string text() const;           ///< "≥ 1", "> 0", "in [0, 1]"; empty if unbounded
};
constexpr Range at_least(double low) {
  return {.low = low};
}
constexpr Range above(double low) {
  return {.low = low, .open_low = true};
}
constexpr Range between(double low, double high) {
  return {.low = low, .high = high};
}

/// One row of a `fields()` table.
template <class Owner, class Value>
struct Field {
  std::string_view name;
  Value Owner::*member;
  std::string_view help;
  Range range;
};
template <class Owner, class Value>
constexpr auto field(std::string_view name, Value Owner::*member, std::string_view help,
                     Range range = {}) {
  return Field<Owner, Value>{name, member, help, range};
}

template <class T>
concept OptionStruct = requires {
  T::fields();
};

/// Text forms of an enumeration: specialise `kNames` with the enumerators in order of their values.
///   template <> struct EnumNames<Norm> { static constexpr std::array kNames{"linf", "l2"}; };
template <class E>
struct EnumNames;

template <class E>
requires std::is_enum_v<E> std::string_view to_string(E value) {
  return EnumNames<E>::kNames[static_cast<std::size_t>(value)];
}

namespace detail {
struct AnyField {
  template <class T>
  operator T() const;
};
template <class T, class... Args>
consteval std::size_t arity() {
  if constexpr (requires { T{Args{}..., AnyField{}}; }) {
    return arity<T, Args..., AnyField>();
  } else {
    return sizeof...(Args);
  }
}

inline std::string out_of_range(std::string_view where, std::string_view name, const Range& range,
                                std::string_view got) {
  return str("[", where, "] ", name, ": expected ", range.text(), ", got ", got);
}

template <class T>
void check_range(std::string_view where, std::string_view name, const Range& range,
                 const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
  } else if constexpr (std::is_arithmetic_v<T>) {
    if (!range.contains(static_cast<double>(value)))
      throw OptionError(out_of_range(where, name, range, str(value)));
  } else if constexpr (requires { value.is_auto(); }) {
    if (!value.is_auto()) check_range(where, name, range, value.value_or({}));
  } else if constexpr (requires { typename T::value_type; } && !std::is_same_v<T, std::string>) {
    for (const auto& item : value) check_range(where, name, range, item);
  }
}
}  // namespace detail

/// Fails to compile where a member is missing from `fields()`.
#define NAMID_CHECK_FIELDS(Type)                                                               \
  static_assert(::namid::detail::arity<Type>() == std::tuple_size_v<decltype(Type::fields())>, \
                #Type "::fields() does not list every member")

/// Throws OptionError naming `where`, the field, its range and the value, e.g.
/// "[pgd] steps: expected ≥ 1, got 0".
template <OptionStruct Options>
void validate(const Options& options, std::string_view where) {
  const auto check = [&](const auto& f) {
    const auto& value = options.*f.member;
    if constexpr (OptionStruct<std::remove_cvref_t<decltype(value)>>) {
      validate(value, where);
    } else {
      detail::check_range(where, f.name, f.range, value);
    }
  };
  std::apply([&](const auto&... f) { (check(f), ...); }, Options::fields());
}

/// Parses "0.5", "8/255" or "1e-3"; throws OptionError for anything else.
double parse_number(std::string_view text);

/// The candidate with the smallest edit distance to `word`, or "" if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace namid
