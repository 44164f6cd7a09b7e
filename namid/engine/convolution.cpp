// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/convolution.h"

#include <ATen/Functions.h>

namespace namid::engine {
namespace {

at::Tensor as_nchw(const at::Tensor& x) {
  return x.permute({0, 3, 1, 2});
}
at::Tensor as_nhwc(const at::Tensor& x) {
  return x.permute({0, 2, 3, 1}).contiguous();
}

bool takes_winograd(const Step& step, Kernel kernel) {
  if (kernel == Kernel::direct || !WinogradConvolution::supports(step.weight, step.window))
    return false;
  return kernel == Kernel::winograd || best_instruction_set() != InstructionSet::portable;
}

}  // namespace

Convolution::Convolution(const Step& step, const Step& input, Kernel kernel)
    : step_(step), input_{input.height, input.width, input.channels} {
  if (!takes_winograd(step, kernel)) {
    step_.weight = step_.weight.contiguous(at::MemoryFormat::ChannelsLast);
    return;
  }
  forward_.emplace(step.weight, false, step.window.stride[0]);
  backward_.emplace(step.weight, true, step.window.stride[0]);
  step_.weight = at::Tensor();
}

void Convolution::repack(const Step& step) {
  step_.bias = step.bias;
  if (forward_) {
    forward_->repack(step.weight);
    backward_->repack(step.weight);
  } else {
    step_.weight = step.weight.contiguous(at::MemoryFormat::ChannelsLast);
  }
}

at::Tensor Convolution::finished(at::Tensor y, const Epilogue& epilogue) const {
  if (epilogue.residual || epilogue.mask_bits || epilogue.relu)
    pointwise(y.const_data_ptr<float>(), y.data_ptr<float>(), y.numel(), {}, {}, epilogue);
  return y;
}

at::Tensor Convolution::forward(const at::Tensor& x, Epilogue epilogue, Memory& memory) const {
  if (!forward_) {
    const auto& w = step_.window;
    return finished(as_nhwc(at::conv2d(as_nchw(x), step_.weight, step_.bias, w.stride, w.padding,
                                       w.dilation, w.groups)),
                    epilogue);
  }
  if (step_.bias.defined()) epilogue.bias = step_.bias.const_data_ptr<float>();
  auto y = memory.take({x.size(0), step_.height, step_.width, step_.channels});
  forward_->run(x.const_data_ptr<float>(), y.data_ptr<float>(), {x.size(0), input_[0], input_[1]},
                epilogue, memory.workspace);
  return y;
}

at::Tensor Convolution::input_gradient(const at::Tensor& gradient, Epilogue epilogue,
                                       Memory& memory) const {
  const auto rows = gradient.size(0);
  const auto x = memory.take({rows, input_[0], input_[1], input_[2]});
  if (!backward_) {
    const auto& w = step_.window;
    // Of x the shape alone is read.
    auto by_input = std::get<0>(at::convolution_backward(
        as_nchw(gradient), as_nchw(x), step_.weight, std::nullopt, w.stride, w.padding, w.dilation,
        false, {0, 0}, w.groups, {true, false, false}));
    return finished(as_nhwc(by_input), epilogue);
  }
  backward_->run(gradient.const_data_ptr<float>(), x.data_ptr<float>(),
                 {rows, input_[0], input_[1]}, epilogue, memory.workspace);
  return x;
}

}  // namespace namid::engine
