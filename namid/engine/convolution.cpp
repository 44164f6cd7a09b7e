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

bool may_take_winograd(const Step& step, Kernel kernel) {
  if (kernel == Kernel::direct || !WinogradConvolution::supports(step.weight, step.window))
    return false;
  return kernel == Kernel::winograd || best_instruction_set() != InstructionSet::portable;
}

bool may_take_im2col(const Step& step, Kernel kernel) {
  return kernel == Kernel::automatic && best_instruction_set() != InstructionSet::portable &&
         Im2colConvolution::pays(step.weight, step.window, true);
}

}  // namespace

Convolution::Convolution(const Step& step, const Step& input, Kernel kernel)
    : step_(step), kernel_(kernel), input_{input.height, input.width, input.channels} {
  step_.weight = step_.weight.contiguous(at::MemoryFormat::ChannelsLast);
  if (!may_take_winograd(step, kernel)) {
    if (!may_take_im2col(step, kernel)) return;
    im2col_.emplace(step.weight, step.window);
    im2col_forward_ = Im2colConvolution::pays(step.weight, step.window, false);
    return;
  }
  forward_.emplace(step.weight, false, step.window.stride[0]);
  backward_.emplace(step.weight, true, step.window.stride[0]);
}

void Convolution::repack(const Step& step) {
  step_.bias = step.bias;
  step_.weight = step.weight.contiguous(at::MemoryFormat::ChannelsLast);
  if (im2col_) im2col_->repack(step.weight);
  if (!forward_) return;
  forward_->repack(step.weight);
  backward_->repack(step.weight);
}

bool Convolution::takes_winograd(const Extent& extent) const {
  return forward_ && (kernel_ == Kernel::winograd || forward_->pays(extent));
}

at::Tensor Convolution::finished(at::Tensor y, const Epilogue& epilogue) const {
  if (epilogue.residual || epilogue.mask_bits || epilogue.relu)
    pointwise(y.const_data_ptr<float>(), y.data_ptr<float>(), y.numel(), {}, {}, epilogue);
  return y;
}

at::Tensor Convolution::forward(const at::Tensor& x, Epilogue epilogue, Memory& memory) const {
  const Extent extent{x.size(0), input_[0], input_[1]};
  if (!im2col_forward_ && !takes_winograd(extent)) {
    const auto& w = step_.window;
    return finished(as_nhwc(at::conv2d(as_nchw(x), step_.weight, step_.bias, w.stride, w.padding,
                                       w.dilation, w.groups)),
                    epilogue);
  }
  if (step_.bias.defined()) epilogue.bias = step_.bias.const_data_ptr<float>();
  auto y = memory.take({extent.n, step_.height, step_.width, step_.channels});
  const auto* from = x.const_data_ptr<float>();
  auto* to = y.data_ptr<float>();
  if (im2col_forward_)
    im2col_->forward(from, to, extent, epilogue, memory.workspace);
  else
    forward_->run(from, to, extent, epilogue, memory.workspace);
  return y;
}

bool Convolution::by_tiles(std::int64_t images) const {
  return !im2col_forward_ && takes_winograd({images, input_[0], input_[1]});
}

void Convolution::forward_tiles(const at::Tensor& x, const at::Tensor& y,
                                const models::Rectangle& only, Epilogue epilogue,
                                Memory& memory) const {
  if (step_.bias.defined()) epilogue.bias = step_.bias.const_data_ptr<float>();
  forward_->run(x.const_data_ptr<float>(), y.data_ptr<float>(), {x.size(0), input_[0], input_[1]},
                epilogue, memory.workspace, only);
}

at::Tensor Convolution::input_gradient(const at::Tensor& gradient, Epilogue epilogue,
                                       Memory& memory) const {
  const Extent extent{gradient.size(0), input_[0], input_[1]};
  const auto x = memory.take({extent.n, input_[0], input_[1], input_[2]});
  if (!im2col_ && !takes_winograd(extent)) {
    const auto& w = step_.window;
    // Of x the shape alone is read.
    return finished(as_nhwc(std::get<0>(at::convolution_backward(
                        as_nchw(gradient), as_nchw(x), step_.weight, std::nullopt, w.stride,
                        w.padding, w.dilation, false, {0, 0}, w.groups, {true, false, false}))),
                    epilogue);
  }
  const auto* from = gradient.const_data_ptr<float>();
  auto* to = x.data_ptr<float>();
  if (im2col_)
    im2col_->input_gradient(from, to, extent, epilogue, memory.workspace);
  else
    backward_->run(from, to, extent, epilogue, memory.workspace);
  return x;
}

}  // namespace namid::engine
