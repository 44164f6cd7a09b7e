// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace namid::models {

/// Rows or columns [first, last).
struct Interval {
  std::int64_t first = 0, last = 0;
  std::int64_t length() const { return std::max<std::int64_t>(last - first, 0); }
  bool operator==(const Interval&) const = default;
};

/// The smallest interval with both in it, of which either may be empty.
inline Interval united(const Interval& a, const Interval& b) {
  if (a.length() == 0) return b;
  if (b.length() == 0) return a;
  return {std::min(a.first, b.first), std::max(a.last, b.last)};
}

/// Pixels of an image: those of some rows and columns.
struct Rectangle {
  Interval rows = {}, columns = {};
  std::int64_t area() const { return rows.length() * columns.length(); }
  bool operator==(const Rectangle&) const = default;
};

}  // namespace namid::models
