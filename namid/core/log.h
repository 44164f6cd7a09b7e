// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "namid/core/format.h"

namespace namid {

/// Importance of a message, rising. Results go to stdout and are not logged.
enum class LogLevel { debug, info, warn, error };

/// Writes one message to stderr if its level is shown (from `info` up unless changed) and, whatever
/// its level, to the log file if one is set. May be called from any thread.
void log(LogLevel level, std::string_view message);

template <class... Parts>
void log_debug(const Parts&... parts) {
  log(LogLevel::debug, str(parts...));
}
template <class... Parts>
void log_info(const Parts&... parts) {
  log(LogLevel::info, str(parts...));
}
template <class... Parts>
void log_warning(const Parts&... parts) {
  log(LogLevel::warn, str(parts...));
}
template <class... Parts>
void log_error(const Parts&... parts) {
  log(LogLevel::error, str(parts...));
}

/// Messages below `level` are not shown on stderr.
void set_log_level(LogLevel level);

/// Appends messages, with date and time (UTC), to `path` too, e.g. a run's log.txt; an empty path
/// ends that. Throws ResourceError if the file cannot be opened.
void set_log_file(const std::filesystem::path& path);

/// The line without its end: "warning: disk is nearly full"; info messages have no prefix. `colour`
/// paints the prefix by ANSI codes.
std::string log_line(LogLevel level, std::string_view message, bool colour);

/// Whether stderr is a terminal; coloured is its text only where NO_COLOR is unset or empty too.
bool stderr_is_terminal();

/// "2026-01-31T12:00:00Z" of now.
std::string utc_time();

}  // namespace namid
