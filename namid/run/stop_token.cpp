// SPDX-License-Identifier: Apache-2.0
#include "namid/run/stop_token.h"

#include <csignal>

namespace namid::run {
namespace {

constinit StopToken token;

void on_signal(int signal) {
  if (!token.requested()) {
    token.request(signal);
    return;
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);  // blocked until this handler returns, then ends the process
}

}  // namespace

StopToken& process_stop_token() {
  return token;
}

void handle_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace namid::run
