// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace namid {

/// A wrong option, flag, configuration key or argument. Exit code 2; Python ValueError.
class OptionError : public std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// An unreadable, corrupt or unfit file, data set or checkpoint. Exit code 3; Python RuntimeError.
class DataError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Memory or disk ran out, or a folder cannot be written. Exit code 4; Python OSError.
class ResourceError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// NaN, infinity or divergence. Exit code 5; Python RuntimeError.
class NumericError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Exit codes of every command (docs/cli.md).
enum class ExitCode : int {
  done = 0,
  internal = 1,
  usage = 2,
  bad_input = 3,
  resource = 4,
  numeric = 5,
  not_met = 6,
  interrupted = 130,
  terminated = 143,
};

/// The exit code that belongs to an exception: one of ours, bad_alloc (4), anything else (1).
ExitCode exit_code(const std::exception& error);

}  // namespace namid
