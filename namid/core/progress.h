// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "namid/core/options.h"

namespace namid {

/// Text forms "none", "auto" (`--progress`).
enum class ProgressMode { none, automatic };

template <>
struct EnumNames<ProgressMode> {
  static constexpr std::array kNames{"none", "auto"};
};

/// Where progress goes and what time it is; replaced in tests.
struct ProgressOutput {
  std::ostream* stream;
  bool terminal;
  std::function<double()> clock;  ///< seconds, never falling
};
/// stderr and the steady clock.
ProgressOutput standard_progress_output();

/// One line about a long loop:
///   epoch 3/30 [#####   ] 412/781 6.4 it/s ETA 0:58 loss 1.42 clean 52.1
/// On a terminal it is redrawn in place, at most 10 times a second; elsewhere plain lines come at
/// the start, every 30 s and at the end. The rate is a moving average over about 10 s.
class Progress {
 public:
  /// `start` of `total` items are done already (a resumed loop); total 0: not known.
  Progress(std::string label, std::int64_t total, ProgressMode mode, std::int64_t start = 0,
           ProgressOutput output = standard_progress_output());
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  ///< finishes the line

  /// `done` items are done now; `details` follows the rate ("loss 1.42").
  void update(std::int64_t done, std::string_view details = {});
  /// Draws the last state and ends the line. Later calls do nothing.
  void finish();

 private:
  void draw();
  std::string line() const;

  std::string label_, details_;
  std::int64_t total_, done_, measured_;
  bool active_;
  ProgressOutput output_;
  double last_update_, last_drawn_;
  std::optional<double> rate_;
};

/// "0:58", "12:05", "1:02:03"; "-" if negative or not finite.
std::string clock_text(double seconds);

}  // namespace namid
