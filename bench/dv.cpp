// SPDX-License-Identifier: Apache-2.0
//
// The Donsker-Varadhan loss on features, plain and in blocks, forward and backward.
//   namid_bench_dv time N U K REPEATS      both forms by turns: seconds of each
//   namid_bench_dv memory FORM N U K       FORM plain or blocked: peak resident memory above the
//                                          state with both feature tensors and their gradients
// One JSON line on stdout.
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "namid/mi/blocked_dv.h"
#include "namid/mi/scores.h"

namespace namid {
namespace {

using nlohmann::json;

/// A line of /proc/self/status in MiB, e.g. "VmHWM:".
double status_mib(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (word == key) {
      double kib = 0;
      file >> kib;
      return kib / 1024;
    }
  throw std::runtime_error("no " + key + " in /proc/self/status");
}

struct Features {
  at::Tensor global, local;
  Features(std::int64_t n, std::int64_t units, std::int64_t locations)
      : global(at::empty({n, units}).uniform_(-0.05, 0.05)),
        local(at::empty({n, units, locations}).uniform_(-0.5, 0.5)) {
    for (auto* features : {&global, &local}) {
      features->requires_grad_();
      features->mutable_grad() = at::zeros_like(*features).fill_(1);  // touches every page
    }
  }
};

at::Tensor loss_of(const Features& features, const std::string& form) {
  const auto& [global, local] = features;
  return form == "plain" ? mi::donsker_varadhan(mi::score_tensor(global, local))
                         : mi::donsker_varadhan_of_features(global, local);
}

double seconds_of(const Features& features, const std::string& form) {
  const auto begin = std::chrono::steady_clock::now();
  loss_of(features, form).mean().backward();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

json measure_time(const Features& features, int repeats) {
  json seconds;
  for (int repeat = 0; repeat < repeats; ++repeat)
    for (const auto* form : {"plain", "blocked"})
      seconds[form].push_back(seconds_of(features, form));
  return {{"seconds", seconds}};
}

json measure_memory(const Features& features, const std::string& form) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts anew at what is resident now
  const double state = status_mib("VmRSS:"), before = status_mib("VmHWM:");
  const double seconds = seconds_of(features, form);
  const double peak = status_mib("VmHWM:");
  return {{"form", form},     {"state_mib", state},        {"peak_before_mib", before},
          {"peak_mib", peak}, {"above_mib", peak - state}, {"seconds", seconds}};
}

}  // namespace
}  // namespace namid

int main(int argc, char** argv) {
  const std::string mode = argc == 6 ? argv[1] : "";
  if (mode != "time" && mode != "memory") {
    std::fprintf(stderr, "usage: %s time N U K REPEATS | memory plain|blocked N U K\n", argv[0]);
    return 2;
  }
  mallopt(M_MMAP_MAX, 0);  // as the program does
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 1 << 26);
  const int first = mode == "time" ? 2 : 3;
  const namid::Features features(std::stoll(argv[first]), std::stoll(argv[first + 1]),
                                 std::stoll(argv[first + 2]));
  const auto result = mode == "time" ? namid::measure_time(features, std::stoi(argv[5]))
                                     : namid::measure_memory(features, argv[2]);
  std::printf("%s\n", result.dump().c_str());
  return 0;
}
