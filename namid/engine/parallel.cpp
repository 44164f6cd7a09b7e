// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/parallel.h"

#include <torch/csrc/stable/c/shim.h>

#include <stdexcept>

namespace namid::engine {
namespace {

struct Task {
  c10::function_ref<void(std::int64_t, std::int64_t)> run;
};

void run_task(std::int64_t begin, std::int64_t end, void* task) {
  static_cast<Task*>(task)->run(begin, end);
}

}  // namespace

void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  c10::function_ref<void(std::int64_t, std::int64_t)> task) {
  if (begin >= end) return;
  Task pieces{task};
  if (torch_parallel_for(begin, end, grain, run_task, &pieces) != 0)
    throw std::logic_error("engine: a parallel loop failed");
}

}  // namespace namid::engine
