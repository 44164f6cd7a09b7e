// SPDX-License-Identifier: Apache-2.0
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <torch/version.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "namid/core/format.h"
#include "namid/core/version.h"
#include "namid/run/run_folder.h"

namespace namid::run {
namespace {

/// "model name" of the first core; the machine's architecture where /proc/cpuinfo has none.
std::string cpu_model(const utsname& system) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return system.machine;
}

std::string compiler() {
#ifdef __clang__
  return str("clang ", __clang_major__, ".", __clang_minor__);
#else
  return str("gcc ", __GNUC__, ".", __GNUC_MINOR__);
#endif
}

}  // namespace

nlohmann::json environment_record() {
  utsname system{};
  ::uname(&system);
  return {{"version", version()},
          {"commit", commit()},
          {"torch", TORCH_VERSION},
          {"cpu", cpu_model(system)},
          {"cpu_capability", at::get_cpu_capability()},
          {"cpu_cores", std::thread::hardware_concurrency()},
          {"threads", at::get_num_threads()},
          {"compiler", compiler()},
          {"system", str(system.sysname, " ", system.release, " ", system.machine)}};
}

std::int64_t peak_memory() {
  constexpr std::int64_t kUnit = 1024;  // Linux counts in KiB
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * kUnit;
}

}  // namespace namid::run
