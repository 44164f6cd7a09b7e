// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace namid::report {

/// An axis from low to high.
struct Ticks {
  std::vector<double> values;  ///< ascending, step apart
  double step = 1, low = 0, high = 1;
  /// Where `value` lies between low (0) and high (1); not clipped.
  double position(double value) const { return (value - low) / (high - low); }
};

/// Ticks at 1, 2 or 5 times a power of ten, about `count` of them, covering [low, high]. An empty
/// or a point range, NaN and infinity are widened to a range that can be drawn.
Ticks round_ticks(double low, double high, int count = 6);

/// The same ticks, but the axis is [low, high] itself and those outside are left out.
Ticks ticks_within(double low, double high, int count = 6);

/// The tick's text with just the decimals that its step needs: 0.25 of step 0.05 is "0.25".
std::string tick_label(double value, double step);

}  // namespace namid::report
