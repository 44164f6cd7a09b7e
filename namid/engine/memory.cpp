// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/memory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <unordered_map>
#include <vector>

#include "namid/core/error.h"

namespace namid::engine {

struct Memory::Free {
  std::int64_t limit = 0, bytes = 0;  ///< bytes: of all buffers, in use or not
  std::unordered_map<std::int64_t, std::vector<at::Tensor>> by_count;

  at::Tensor fresh(std::int64_t count) {
    const auto wanted = count * static_cast<std::int64_t>(sizeof(float));
    if (limit > 0 && bytes + wanted > limit) give_up();
    if (limit > 0 && bytes + wanted > limit)
      throw ResourceError("engine: values of a pass would take more than " +
                          std::to_string(limit >> 20) + " MiB");
    auto buffer = at::empty({count}, at::kFloat);
    bytes += wanted;
    return buffer;
  }
  /// What is not in use.
  void give_up() {
    for (auto& [count, buffers] : by_count) {
      bytes -= count * static_cast<std::int64_t>(sizeof(float) * buffers.size());
      buffers.clear();
    }
  }
};

Memory::Memory(std::int64_t limit) : free_(std::make_shared<Free>()) {
  free_->limit = limit;
}

at::Tensor Memory::take(at::IntArrayRef sizes) {
  const auto count = c10::multiply_integers(sizes);
  auto& kept = free_->by_count[count];
  if (kept.empty()) kept.push_back(free_->fresh(count));
  auto buffer = std::move(kept.back());
  kept.pop_back();
  auto* const data = buffer.data_ptr();
  const auto give_back = [free = free_, buffer = std::move(buffer), count](void*) mutable {
    free->by_count[count].push_back(std::move(buffer));
  };
  return at::from_blob(data, sizes, give_back, at::kFloat);
}

}  // namespace namid::engine
