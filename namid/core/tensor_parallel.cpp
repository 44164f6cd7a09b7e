// SPDX-License-Identifier: Apache-2.0
#include "namid/core/tensor_parallel.h"

#include <ATen/Parallel.h>
#include <torch/csrc/stable/c/shim.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>

namespace namid {
namespace {

struct Task {
  c10::function_ref<void(std::int64_t, std::int64_t)> run;
  std::mutex mutex = {};
  std::exception_ptr error = nullptr;
  std::int64_t place = 0;  ///< where the piece that threw begins
};

/// An exception must not leave a thread of LibTorch's.
void run_task(std::int64_t begin, std::int64_t end, void* context) {
  auto& task = *static_cast<Task*>(context);
  try {
    task.run(begin, end);
  } catch (...) {
    const std::lock_guard lock(task.mutex);
    if (task.error && task.place < begin) return;
    task.error = std::current_exception();
    task.place = begin;
  }
}

}  // namespace

void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  c10::function_ref<void(std::int64_t, std::int64_t)> task) {
  if (begin >= end) return;
  Task pieces{task};
  if (torch_parallel_for(begin, end, grain, run_task, &pieces) != 0)
    throw std::logic_error("a parallel loop failed");
  if (pieces.error) std::rethrow_exception(pieces.error);
}

void parallel_each(std::int64_t count, c10::function_ref<void(std::int64_t)> task) {
  std::atomic<std::int64_t> next = 0;
  const auto take = [&](std::int64_t, std::int64_t) {
    for (auto i = next++; i < count; i = next++) task(i);
  };
  parallel_for(0, std::min<std::int64_t>(at::get_num_threads(), count), 1, take);
}

}  // namespace namid
