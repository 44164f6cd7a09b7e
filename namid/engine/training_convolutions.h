// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "namid/models/conv2d.h"

namespace namid::engine {

class TrainingKernels;

/// Convolutions of networks that are trained, by Winograd's filtering where WinogradConvolution can
/// and it pays: forward, gradient by the input (WinogradConvolution) and by the weights
/// (WinogradWeightGradient). Those of float32 images in the CPU's memory; all others are
/// LibTorch's. Results are channels-last, and so is then what follows them. Weights are transformed
/// anew in every forward and backward, so that no change of theirs can be missed.
///
/// Differs from at::conv2d by rounding, as WinogradConvolution says. Derivatives of gradients are
/// those of at::convolution_backward. Threads may call at the same time; they take turns.
class TrainingConvolutions final : public models::ConvolutionBackend {
 public:
  TrainingConvolutions();
  at::Tensor conv2d(const at::Tensor& x, const torch::nn::Conv2dImpl& layer) override;

 private:
  std::shared_ptr<TrainingKernels> kernels_;  // graphs that are to go backwards hold it too
};

}  // namespace namid::engine
