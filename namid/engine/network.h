// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "namid/engine/convolution.h"
#include "namid/engine/memory.h"
#include "namid/engine/plan.h"

namespace namid::engine {

/// What a forward leaves for input gradients: one bit per ReLU, one byte per max-pool window.
struct Trace {
  std::int64_t rows = 0;
  std::vector<at::Tensor> bits;    ///< per step: uint8, undefined without ReLU
  std::vector<at::Tensor> places;  ///< per step: uint8, undefined unless it is a max_pool
};

/// A plan made ready to run on the CPU in float32: forward and input gradient without autograd and
/// without weight gradients. Values are NHWC; a value's memory is used again when nothing reads the
/// value any more, and kept from one call to the next. Threads may call at the same time.
class Network {
 public:
  /// memory_limit: bytes of values that one pass may hold; 0: what the machine has. OptionError for
  /// a max_pool of more than kLargestWindow places.
  Network(Plan plan, Kernel kernel, std::int64_t memory_limit = 0);

  /// The same steps with other weights: after a training step. Not while another thread calls, nor
  /// while a trace is to be used again.
  void repack(Plan plan);

  /// Logits (N, classes) of images x, float32 (N, C, H, W) or (N, C), contiguous; what gradients
  /// need is written to `trace`, if given. ResourceError where memory does not suffice.
  at::Tensor forward(const at::Tensor& x, Trace* trace = nullptr) const;
  /// Gradient (N, C, H, W) by the images of sum(gradient · logits), gradient: float32 (N, classes).
  /// Any number of times for a trace. ResourceError where memory does not suffice.
  at::Tensor input_gradient(const Trace& trace, const at::Tensor& gradient) const;

  /// Gives back the memory that is kept for further calls.
  void release_memory() const;

  const Plan& plan() const { return plan_; }
  /// Of a step; null unless it is one.
  const Convolution* convolution(std::size_t step) const { return ready_[step].convolution.get(); }
  /// How many convolutions take which kernel: "winograd 16, im2col 4, direct 0".
  std::string kernels() const;

 private:
  friend class ForwardPass;
  friend class BackwardPass;
  friend class RegionPass;
  class Borrowed;

  /// A step with what is computed once for all calls.
  struct Ready {
    std::shared_ptr<Convolution> convolution;
    PerChannel scale, shift;
    std::size_t readers = 0;  ///< how many steps read the value
  };

  void take_constants();

  Plan plan_;
  std::vector<Ready> ready_;
  std::int64_t memory_limit_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Memory>> idle_;
};

}  // namespace namid::engine
