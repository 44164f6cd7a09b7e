// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <exception>

namespace namid::run {

/// Thrown at a safe point after a stop was asked for; carries the signal (SIGINT 2, SIGTERM 15).
class Interrupted : public std::exception {
 public:
  explicit Interrupted(int signal) : signal_(signal) {}
  int signal() const { return signal_; }
  const char* what() const noexcept override { return "interrupted"; }

 private:
  int signal_;
};

/// Asks a loop to stop at its next safe point. `request` may be called from a signal handler.
class StopToken {
 public:
  void request(int signal) { signal_ = signal; }
  bool requested() const { return signal_ != 0; }
  int signal() const { return signal_; }
  /// Throws Interrupted if a stop was requested.
  void check() const {
    if (requested()) throw Interrupted(signal_);
  }

 private:
  std::atomic<int> signal_ = 0;  // lock-free, so that a signal handler may set it
  static_assert(std::atomic<int>::is_always_lock_free);
};

/// The process's token, requested by SIGINT and SIGTERM once `handle_signals` was called. The first
/// signal lets the work in hand finish and be saved; a second one ends the process at once.
StopToken& process_stop_token();
void handle_signals();

}  // namespace namid::run
