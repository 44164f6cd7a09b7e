// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/jobs.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "namid/core/error.h"
#include "namid/core/log.h"
#include "namid/run/stop_token.h"

namespace namid::app {
namespace {

/// The exit code that `work` would give the program.
int code_of(const std::function<void()>& work) {
  try {
    work();
    return 0;
  } catch (const run::Interrupted& stop) {
    return 128 + stop.signal();
  } catch (const std::exception& error) {
    log_error(error.what());
    return static_cast<int>(exit_code(error));
  }
}

pid_t start(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child < 0)
    throw ResourceError(str("[jobs] no further process can be started: ", std::strerror(errno)));
  if (child > 0) return child;
  ::setpgid(0, 0);  // a terminal's Ctrl-C reaches the parent alone, which passes it on once
  std::_Exit(code_of(work));  // what the parent has open is the parent's to close
}

/// The child's exit code; passes a stop on while it waits. Polls, since waiting calls are restarted
/// after a signal.
int wait_for(pid_t child, const std::vector<pid_t>& all, bool& told) {
  for (;;) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const auto& stop = run::process_stop_token();
    if (stop.requested() && !std::exchange(told, true))
      for (const pid_t other : all) ::kill(other, stop.signal());
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

[[noreturn]] void fail(int code) {
  const auto text = str("[jobs] a process ended with exit code ", code, "; its message is above");
  switch (static_cast<ExitCode>(code)) {
    case ExitCode::usage:
      throw OptionError(text);
    case ExitCode::bad_input:
      throw DataError(text);
    case ExitCode::resource:
      throw ResourceError(text);
    case ExitCode::numeric:
      throw NumericError(text);
    default:
      throw std::runtime_error(text);
  }
}

}  // namespace

void run_jobs(int n, const std::function<void(int)>& work) {
  std::vector<pid_t> children;
  for (int job = 0; job < n; ++job) children.push_back(start([&] { work(job); }));
  int failed = 0;
  bool told = false;
  for (const pid_t child : children)
    if (const int code = wait_for(child, children, told); code != 0 && failed == 0) failed = code;
  if (failed > 128) throw run::Interrupted(failed - 128);
  if (failed != 0) fail(failed);
}

}  // namespace namid::app
