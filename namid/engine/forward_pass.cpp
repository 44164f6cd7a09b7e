// SPDX-License-Identifier: Apache-2.0
#include <ATen/Functions.h>

#include "namid/engine/layout.h"
#include "namid/engine/passes.h"
#include "namid/engine/pooling.h"

namespace namid::engine {
namespace {

const float* data(const at::Tensor& tensor) {
  return tensor.const_data_ptr<float>();
}

}  // namespace

ForwardPass::ForwardPass(const Network& network, Memory& memory, Trace* trace)
    : network_(network),
      steps_(network.plan_.steps),
      memory_(memory),
      trace_(trace),
      values_(steps_.size()) {
  for (const auto& step : network.ready_) readers_.push_back(step.readers);
}

at::Tensor ForwardPass::run(const at::Tensor& x) {
  rows_ = x.size(0);
  if (trace_)
    *trace_ = {rows_, std::vector<at::Tensor>(steps_.size()),
               std::vector<at::Tensor>(steps_.size())};
  const auto read = [&](std::size_t i) {
    if (--readers_[i] == 0) values_[i] = at::Tensor();
  };
  values_[0] = images(x);
  for (std::size_t i = 1; i < steps_.size(); ++i) {
    values_[i] = compute(i);
    read(steps_[i].input);
    if (steps_[i].residual) read(*steps_[i].residual);
  }
  return values_.back().view({rows_, -1}).clone();
}

/// NCHW to NHWC, normalised.
at::Tensor ForwardPass::images(const at::Tensor& x) {
  const auto& step = steps_[0];
  const auto y = memory_.take({rows_, step.height, step.width, step.channels});
  enter_nhwc(x, y, step.weight, step.bias);
  return y;
}

Epilogue ForwardPass::epilogue(std::size_t i) {
  const auto& step = steps_[i];
  Epilogue epilogue{.relu = step.relu};
  if (step.residual) epilogue.residual = data(values_[*step.residual]);
  if (!step.relu || !trace_) return epilogue;
  trace_->bits[i] = at::empty({bit_bytes(rows_ * step.size())}, at::kByte);
  epilogue.relu_bits = trace_->bits[i].data_ptr<std::uint8_t>();
  return epilogue;
}

at::Tensor ForwardPass::compute(std::size_t i) {
  const auto& step = steps_[i];
  const auto& ready = network_.ready_[i];
  const auto& x = values_[step.input];
  const auto after = epilogue(i);
  switch (step.op) {
    case StepOp::images:
      break;
    case StepOp::convolution:
      return ready.convolution->forward(x, after, memory_);
    case StepOp::linear:
      return linear(i, after);
    case StepOp::pointwise: {
      const auto y = memory_.take(x.sizes());
      pointwise(data(x), y.data_ptr<float>(), y.numel(), ready.scale, ready.shift, after);
      return y;
    }
    case StepOp::avg_pool:
    case StepOp::max_pool:
      return pool(i);
    case StepOp::flatten: {
      const auto y = memory_.take({rows_, 1, 1, step.channels});
      leave_nhwc(x, y, {});
      return y;
    }
  }
  throw std::logic_error("engine: unknown step");
}

at::Tensor ForwardPass::linear(std::size_t i, const Epilogue& epilogue) {
  const auto& step = steps_[i];
  const auto y = memory_.take({rows_, 1, 1, step.channels});
  auto rows = y.view({rows_, step.channels});
  const auto x = values_[step.input].view({rows_, -1});
  at::mm_out(rows, x, step.weight.t());
  pointwise(data(y), y.data_ptr<float>(), y.numel(), {}, network_.ready_[i].shift, epilogue);
  return y;
}

at::Tensor ForwardPass::pool(std::size_t i) {
  const auto& step = steps_[i];
  const auto& input = steps_[step.input];
  const auto& x = values_[step.input];
  const auto y = memory_.take({rows_, step.height, step.width, step.channels});
  if (step.op == StepOp::avg_pool) {
    average_windows(step, input, x, y);
  } else {
    const auto places = at::empty(y.sizes(), at::kByte);
    largest_of_windows(step, input, x, y, places);
    if (trace_) trace_->places[i] = places;
  }
  return y;
}

}  // namespace namid::engine
