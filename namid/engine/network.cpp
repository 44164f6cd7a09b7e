// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/network.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/engine/passes.h"
#include "namid/engine/pooling.h"

namespace namid::engine {

/// Memory for the time of a call.
class Network::Borrowed {
 public:
  explicit Borrowed(const Network& network) : network_(network) {
    const std::lock_guard lock(network_.mutex_);
    if (network_.idle_.empty())
      network_.idle_.push_back(std::make_unique<Memory>(network_.memory_limit_));
    memory_ = std::move(network_.idle_.back());
    network_.idle_.pop_back();
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    const std::lock_guard lock(network_.mutex_);
    network_.idle_.push_back(std::move(memory_));
  }
  Memory& operator*() const { return *memory_; }

 private:
  const Network& network_;
  std::unique_ptr<Memory> memory_;
};

Network::Network(Plan plan, Kernel kernel, std::int64_t memory_limit)
    : plan_(std::move(plan)), ready_(plan_.steps.size()), memory_limit_(memory_limit) {
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    const auto& step = plan_.steps[i];
    const auto& input = plan_.steps[step.input];
    if (i > 0) ++ready_[step.input].readers;
    if (step.residual) ++ready_[*step.residual].readers;
    if (step.op == StepOp::convolution)
      ready_[i].convolution = std::make_shared<Convolution>(step, input, kernel);
    if (step.op == StepOp::max_pool &&
        step.window.kernel[0] * step.window.kernel[1] > kLargestWindow)
      throw OptionError(
          str("[engine] ", step.name, ": a window of more than ", kLargestWindow, " places"));
  }
  take_constants();
}

void Network::take_constants() {
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    const auto& step = plan_.steps[i];
    if (step.op == StepOp::images || step.op == StepOp::pointwise)
      ready_[i].scale = PerChannel(step.weight);
    if (step.op != StepOp::convolution) ready_[i].shift = PerChannel(step.bias);
  }
}

void Network::repack(Plan plan) {
  plan_ = std::move(plan);
  for (std::size_t i = 0; i < ready_.size(); ++i)
    if (ready_[i].convolution) ready_[i].convolution->repack(plan_.steps[i]);
  take_constants();
}

at::Tensor Network::forward(const at::Tensor& x, Trace* trace) const {
  const Borrowed memory(*this);
  return ForwardPass(*this, *memory, trace).run(x);
}

at::Tensor Network::input_gradient(const Trace& trace, const at::Tensor& gradient) const {
  const Borrowed memory(*this);
  return BackwardPass(*this, *memory, trace).run(gradient);
}

void Network::release_memory() const {
  const std::lock_guard lock(mutex_);
  idle_.clear();
}

std::string Network::kernels() const {
  std::int64_t winograd = 0, im2col = 0, direct = 0;
  for (const auto& step : ready_)
    if (const auto& convolution = step.convolution)
      ++(convolution->uses_winograd() ? winograd : convolution->uses_im2col() ? im2col : direct);
  return str("winograd ", winograd, ", im2col ", im2col, ", direct ", direct);
}

}  // namespace namid::engine
