// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace namid {

/// Shortest decimal text that reads back as the same number ("0.1", "1e-06", "nan").
std::string shortest(double value);

/// Fixed-point text with `digits` decimals: fixed(62.34, 1) == "62.3".
std::string fixed(double value, int digits);

namespace detail {
inline void append(std::string& out, std::string_view text) {
  out.append(text);
}
inline void append(std::string& out, char c) {
  out.push_back(c);
}
template <std::same_as<bool> T>  // a template, so that no pointer converts to it
void append(std::string& out, T value) {
  out.append(value ? "true" : "false");
}
template <std::integral T>
requires(!std::same_as<T, bool>) void append(std::string& out, T value) {
  out.append(std::to_string(value));
}
template <std::floating_point T>
void append(std::string& out, T value) {
  out.append(shortest(static_cast<double>(value)));
}
}  // namespace detail

/// The arguments' texts, one after the other: str("steps: got ", 3) == "steps: got 3".
template <class... Parts>
std::string str(const Parts&... parts) {
  std::string out;
  (detail::append(out, parts), ...);
  return out;
}

}  // namespace namid
