// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

namespace namid::engine {

/// Memory that is kept from one call to the next: fresh pages cost as much as the arithmetic done
/// in them. One per thread that calls; it may serve any number of layers, one after another.
class Workspace {
 public:
  /// `floats` uninitialised values, aligned to 64 bytes, valid until the next call of take.
  /// ResourceError where there is no memory.
  float* take(std::size_t floats);
  std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace namid::engine
