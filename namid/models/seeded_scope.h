// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>

namespace namid::models {

/// While it lives, torch's default CPU generator starts from `seed`; afterwards it goes on as if
/// nothing had been drawn. Scopes of several threads wait for each other.
class SeededScope {
 public:
  explicit SeededScope(std::uint64_t seed);
  SeededScope(const SeededScope&) = delete;
  SeededScope& operator=(const SeededScope&) = delete;
  ~SeededScope();

 private:
  std::unique_lock<std::recursive_mutex> alone_;
  at::Tensor saved_;
};

}  // namespace namid::models
