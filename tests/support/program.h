// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace namid::testing {

struct ProgramResult {
  int code = 0;      ///< exit code, 128 + signal for a killed program
  std::string text;  ///< stdout and stderr together
};

/// Runs a command of the shell.
inline ProgramResult run_command(const std::string& command) {
  ProgramResult result;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (const auto count = std::fread(buffer.data(), 1, buffer.size(), pipe))
    result.text.append(buffer.data(), count);
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

/// Runs the namid program with `arguments` through the shell, after the shell's commands `before`.
inline ProgramResult run_program(const std::string& arguments, const std::string& before = "") {
  return run_command(before + std::string(NAMID_PROGRAM) + " " + arguments);
}

}  // namespace namid::testing
