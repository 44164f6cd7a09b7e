// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/engine/network.h"

namespace namid::engine {

/// One forward of a network. (Not for callers of the engine.)
class ForwardPass {
 public:
  ForwardPass(const Network& network, Memory& memory, Trace* trace);
  at::Tensor run(const at::Tensor& x);

 protected:
  at::Tensor images(const at::Tensor& x);
  at::Tensor compute(std::size_t i);
  Epilogue epilogue(std::size_t i);

  const Network& network_;
  const std::vector<Step>& steps_;
  Memory& memory_;
  Trace* trace_;
  std::int64_t rows_ = 0;
  std::vector<at::Tensor> values_;

 private:
  at::Tensor linear(std::size_t i, const Epilogue& epilogue);
  at::Tensor pool(std::size_t i);

  std::vector<std::size_t> readers_;
};

/// One input gradient of a network. A value's gradient is the sum of what its readers contribute;
/// the last of them multiplies it by the ReLU's bits, so that steps see gradients by what they
/// computed before their ReLU.
class BackwardPass {
 public:
  BackwardPass(const Network& network, Memory& memory, const Trace& trace);
  at::Tensor run(const at::Tensor& gradient);

 private:
  /// The sum of the contributions so far.
  struct Gradient {
    at::Tensor sum;
    bool shared = false;  ///< somebody else's memory: not to be written
    std::size_t missing = 0;
  };

  void go_back(std::size_t i);
  void through_pool(std::size_t i, const at::Tensor& gradient);
  /// What the next contribution to value `i` has to do in its epilogue.
  Epilogue finish(std::size_t i) const;
  /// Takes the sum so far with the next contribution, which `finish` was applied to.
  void put(std::size_t i, at::Tensor sum);
  /// Takes the next contribution, which `finish` is still to be applied to.
  void contribute(std::size_t i, at::Tensor part, bool shared = false);
  at::Tensor images(const at::Tensor& gradient);
  std::vector<std::int64_t> sizes(std::size_t i) const;

  const Network& network_;
  const std::vector<Step>& steps_;
  Memory& memory_;
  const Trace& trace_;
  std::vector<Gradient> gradients_;
};

}  // namespace namid::engine
