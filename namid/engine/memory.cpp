// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/memory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <unordered_map>
#include <vector>

namespace namid::engine {

struct Memory::Free {
  std::unordered_map<std::int64_t, std::vector<at::Tensor>> by_count;
};

Memory::Memory() : free_(std::make_shared<Free>()) {}

at::Tensor Memory::take(at::IntArrayRef sizes) {
  const auto count = c10::multiply_integers(sizes);
  auto& kept = free_->by_count[count];
  if (kept.empty()) kept.push_back(at::empty({count}, at::kFloat));
  auto buffer = std::move(kept.back());
  kept.pop_back();
  auto* const data = buffer.data_ptr();
  const auto give_back = [free = free_, buffer = std::move(buffer), count](void*) mutable {
    free->by_count[count].push_back(std::move(buffer));
  };
  return at::from_blob(data, sizes, give_back, at::kFloat);
}

}  // namespace namid::engine
