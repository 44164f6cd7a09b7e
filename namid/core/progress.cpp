// SPDX-License-Identifier: Apache-2.0
#include "namid/core/progress.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>

#include "namid/core/format.h"
#include "namid/core/log.h"

namespace namid {
namespace {

constexpr double kRedraw = 0.1, kPlainLine = 30, kRateWindow = 10;
constexpr std::int64_t kBarWidth = 20;

std::string bar(std::int64_t done, std::int64_t total) {
  const auto share = static_cast<double>(done) / static_cast<double>(total);
  const auto filled = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * kBarWidth);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, ' ') + "]";
}

std::string rate_text(double rate) {
  return rate >= 100 ? fixed(rate, 0) : rate >= 1 ? fixed(rate, 1) : fixed(rate, 3);
}

}  // namespace

ProgressOutput standard_progress_output() {
  const auto seconds = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  return {&std::cerr, stderr_is_terminal(), seconds};
}

std::string clock_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "-";
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  const auto two = [](std::int64_t value) { return str(value < 10 ? "0" : "", value); };
  const auto hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return str(hours, ":", two(minutes), ":", two(whole % 60));
  return str(minutes, ":", two(whole % 60));
}

Progress::Progress(std::string label, std::int64_t total, ProgressMode mode, std::int64_t start,
                   ProgressOutput output)
    : label_(std::move(label)),
      total_(total),
      done_(start),
      measured_(start),
      active_(mode == ProgressMode::automatic),
      output_(std::move(output)),
      last_update_(output_.clock()),
      last_drawn_(last_update_) {
  if (active_) draw();
}

Progress::~Progress() {
  finish();
}

void Progress::update(std::int64_t done, std::string_view details) {
  if (!active_) return;
  const double now = output_.clock(), elapsed = now - last_update_;
  details_ = details;
  done_ = done;
  if (done > measured_ && elapsed > 0) {
    const double present = static_cast<double>(done - measured_) / elapsed;
    const double weight = 1 - std::exp(-elapsed / kRateWindow);
    rate_ = rate_ ? *rate_ + weight * (present - *rate_) : present;
    last_update_ = now;
    measured_ = done;
  }
  if (now - last_drawn_ >= (output_.terminal ? kRedraw : kPlainLine)) draw();
}

void Progress::finish() {
  if (!active_) return;
  draw();
  if (output_.terminal) *output_.stream << '\n' << std::flush;
  active_ = false;
}

void Progress::draw() {
  last_drawn_ = output_.clock();
  if (output_.terminal)
    *output_.stream << "\r\x1b[K" << line() << std::flush;
  else
    *output_.stream << line() << std::endl;
}

std::string Progress::line() const {
  std::string out = label_;
  if (total_ > 0)
    out += str(" ", bar(done_, total_), " ", done_, "/", total_);
  else
    out += str(" ", done_);
  if (rate_) out += str(" ", rate_text(*rate_), " it/s");
  if (rate_ && total_ > done_)
    out += " ETA " + clock_text(static_cast<double>(total_ - done_) / *rate_);
  if (!details_.empty()) out += " " + details_;
  return out;
}

}  // namespace namid
