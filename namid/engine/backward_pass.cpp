// SPDX-License-Identifier: Apache-2.0
#include <ATen/Functions.h>

#include "namid/engine/layout.h"
#include "namid/engine/passes.h"
#include "namid/engine/pooling.h"

namespace namid::engine {

BackwardPass::BackwardPass(const Network& network, Memory& memory, const Trace& trace)
    : network_(network),
      steps_(network.plan_.steps),
      memory_(memory),
      trace_(trace),
      gradients_(steps_.size()) {
  for (std::size_t i = 0; i < steps_.size(); ++i) gradients_[i].missing = network.ready_[i].readers;
  gradients_.back().missing = 1;
}

at::Tensor BackwardPass::run(const at::Tensor& gradient) {
  contribute(steps_.size() - 1, gradient.contiguous().view(sizes(steps_.size() - 1)), true);
  for (auto i = steps_.size() - 1; i > 0; --i) go_back(i);
  return images(gradients_[0].sum);
}

std::vector<std::int64_t> BackwardPass::sizes(std::size_t i) const {
  return {trace_.rows, steps_[i].height, steps_[i].width, steps_[i].channels};
}

Epilogue BackwardPass::finish(std::size_t i) const {
  const auto& gradient = gradients_[i];
  Epilogue epilogue;
  if (gradient.sum.defined()) epilogue.residual = gradient.sum.const_data_ptr<float>();
  if (gradient.missing == 1 && steps_[i].relu)
    epilogue.mask_bits = trace_.bits[i].const_data_ptr<std::uint8_t>();
  return epilogue;
}

void BackwardPass::put(std::size_t i, at::Tensor sum) {
  gradients_[i] = {std::move(sum), false, gradients_[i].missing - 1};
}

void BackwardPass::contribute(std::size_t i, at::Tensor part, bool shared) {
  auto& gradient = gradients_[i];
  const auto after = finish(i);
  if (!after.residual && !after.mask_bits) {
    gradient = {std::move(part), shared, gradient.missing - 1};
    return;
  }
  auto sum = part;
  if (shared)
    sum = gradient.sum.defined() && !gradient.shared ? gradient.sum : memory_.take(part.sizes());
  pointwise(part.const_data_ptr<float>(), sum.data_ptr<float>(), sum.numel(), {}, {}, after);
  put(i, sum);
}

void BackwardPass::go_back(std::size_t i) {
  const auto& step = steps_[i];
  const auto& ready = network_.ready_[i];
  const auto gradient = std::move(gradients_[i].sum);
  const auto to = step.input;
  if (step.residual) contribute(*step.residual, gradient, true);
  switch (step.op) {
    case StepOp::images:
      break;
    case StepOp::convolution:
      return put(to, ready.convolution->input_gradient(gradient, finish(to), memory_));
    case StepOp::linear: {
      const auto by_input = memory_.take(sizes(to));
      auto rows = by_input.view({trace_.rows, -1});
      at::mm_out(rows, gradient.view({trace_.rows, -1}), step.weight);
      return contribute(to, by_input);
    }
    case StepOp::pointwise: {
      if (!ready.scale) return contribute(to, gradient, true);
      const auto by_input = memory_.take(gradient.sizes());
      pointwise(gradient.const_data_ptr<float>(), by_input.data_ptr<float>(), by_input.numel(),
                ready.scale, {}, finish(to));
      return put(to, by_input);
    }
    case StepOp::avg_pool:
    case StepOp::max_pool:
      return through_pool(i, gradient);
    case StepOp::flatten: {
      const auto by_input = memory_.take(sizes(to));
      enter_nhwc(gradient, by_input, {}, {});
      return contribute(to, by_input);
    }
  }
}

void BackwardPass::through_pool(std::size_t i, const at::Tensor& gradient) {
  const auto& step = steps_[i];
  const auto by_input = memory_.take(sizes(step.input));
  if (step.op == StepOp::avg_pool) {
    spread_averages(step, steps_[step.input], gradient, by_input);
  } else {
    scatter_to_largest(step, steps_[step.input], gradient, trace_.places[i], by_input);
  }
  contribute(step.input, by_input);
}

/// NHWC to NCHW, through the normalisation.
at::Tensor BackwardPass::images(const at::Tensor& gradient) {
  const auto& step = steps_[0];
  const auto by_images =
      at::empty({trace_.rows, step.channels, step.height, step.width}, gradient.options());
  leave_nhwc(gradient, by_images, step.weight);
  return by_images;
}

}  // namespace namid::engine
