// SPDX-License-Identifier: Apache-2.0
#include "namid/core/log.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <mutex>

#include "namid/core/error.h"

namespace namid {
namespace {

struct Sink {
  std::mutex mutex;
  LogLevel level = LogLevel::info;
  std::ofstream file;
};

Sink& sink() {
  static Sink* const only = new Sink;  // never destroyed: threads may log while the process ends
  return *only;
}

bool coloured() {
  const char* no_color = std::getenv("NO_COLOR");
  return stderr_is_terminal() && (no_color == nullptr || *no_color == '\0');
}

}  // namespace

std::string log_line(LogLevel level, std::string_view message, bool colour) {
  struct Style {
    std::string_view prefix, code;
  };
  constexpr std::array<Style, 4> kStyles{{{"debug", "2"}, {}, {"warning", "33"}, {"error", "31"}}};
  const auto [prefix, code] = kStyles[static_cast<std::size_t>(level)];
  if (prefix.empty()) return std::string(message);
  if (!colour) return str(prefix, ": ", message);
  return str("\x1b[1;", code, "m", prefix, ":\x1b[0m ", message);
}

bool stderr_is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text;
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

void log(LogLevel level, std::string_view message) {
  auto& out = sink();
  const std::lock_guard lock(out.mutex);
  if (out.file.is_open())
    out.file << utc_time() << ' ' << log_line(level, message, false) << std::endl;
  if (level < out.level) return;
  // On a terminal a progress line may stand where the message goes: wipe it, it is drawn again.
  const auto line =
      str(stderr_is_terminal() ? "\r\x1b[K" : "", log_line(level, message, coloured()), "\n");
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void set_log_level(LogLevel level) {
  auto& out = sink();
  const std::lock_guard lock(out.mutex);
  out.level = level;
}

void set_log_file(const std::filesystem::path& path) {
  auto& out = sink();
  const std::lock_guard lock(out.mutex);
  out.file.close();
  out.file.clear();
  if (path.empty()) return;
  out.file.open(path, std::ios::app);
  if (!out.file) throw ResourceError(str(path.string(), ": cannot be opened for the log"));
}

}  // namespace namid
