// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "namid/engine/epilogue.h"

namespace namid::engine {

/// Numbers per channel, repeated until a whole number of blocks of 16 is full, so that passes over
/// NHWC memory need not know where a pixel ends.
class PerChannel {
 public:
  PerChannel() = default;  ///< none
  /// values: (C), any floating type; undefined: none.
  explicit PerChannel(const at::Tensor& values);
  explicit operator bool() const { return blocks_ > 0; }

  /// Walks through the blocks of 16 elements, from the given one on.
  class Walk {
   public:
    Walk(const PerChannel& values, std::int64_t block)
        : data_(values.data_),
          blocks_(values.blocks_),
          at_(values.blocks_ ? block % values.blocks_ : 0) {}
    /// The block's 16 numbers, and on to the next block; nullptr if there are none.
    const float* next() {
      if (!blocks_) return nullptr;
      const auto* values = data_ + 16 * at_;
      if (++at_ == blocks_) at_ = 0;
      return values;
    }

   private:
    const float* data_;
    std::int64_t blocks_, at_;
  };

 private:
  at::Tensor values_;
  const float* data_ = nullptr;
  std::int64_t blocks_ = 0;
};

/// y = epilogue(scale_c x + shift_c) over `count` NHWC elements, as Epilogue says; epilogue.bias is
/// not read. x, y and residual may be the same memory.
void pointwise(const float* x, float* y, std::int64_t count, const PerChannel& scale,
               const PerChannel& shift, const Epilogue& epilogue);

/// Bytes of a set of one bit for each of `count` elements, padded so that blocks of 16 fit.
inline std::int64_t bit_bytes(std::int64_t count) {
  return (count + 15) / 16 * 2;
}

}  // namespace namid::engine
