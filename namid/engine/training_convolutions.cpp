// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/training_convolutions.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <map>
#include <mutex>
#include <optional>

#include "namid/engine/plain.h"
#include "namid/engine/winograd.h"
#include "namid/engine/winograd_weight_gradient.h"

namespace namid::engine {

/// Kernels and their memory: those of one shape of weights serve every layer of that shape.
class TrainingKernels {
 public:
  /// y = conv2d(x, weight, bias); bias may be undefined. All x and y are channels-last.
  void forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
               const at::Tensor& y, std::int64_t stride) {
    const std::lock_guard lock(mutex_);
    Epilogue epilogue;
    if (bias.defined()) epilogue.bias = bias.const_data_ptr<float>();
    packed(of(weight, stride).forward, weight, false, stride)
        .run(x.const_data_ptr<float>(), y.data_ptr<float>(), extent(x), epilogue, workspace_);
  }
  void input_gradient(const at::Tensor& gradient, const at::Tensor& weight, const at::Tensor& to,
                      std::int64_t stride) {
    const std::lock_guard lock(mutex_);
    packed(of(weight, stride).backward, weight, true, stride)
        .run(gradient.const_data_ptr<float>(), to.data_ptr<float>(), extent(to), {}, workspace_);
  }
  void weight_gradient(const at::Tensor& x, const at::Tensor& gradient, const at::Tensor& to,
                       std::int64_t stride) {
    const std::lock_guard lock(mutex_);
    auto& weights = of(to, stride).weights;
    if (!weights) weights.emplace(to.size(1), to.size(0), stride);
    weights->run(x.const_data_ptr<float>(), gradient.const_data_ptr<float>(), extent(x), to,
                 workspace_);
  }

 private:
  struct Shape {
    std::int64_t out, in, stride;
    auto operator<=>(const Shape&) const = default;
  };
  struct Kernels {
    std::optional<WinogradConvolution> forward, backward;
    std::optional<WinogradWeightGradient> weights;
  };

  static Extent extent(const at::Tensor& x) { return {x.size(0), x.size(2), x.size(3)}; }
  Kernels& of(const at::Tensor& weight, std::int64_t stride) {
    return kernels_[{weight.size(0), weight.size(1), stride}];
  }
  static const WinogradConvolution& packed(std::optional<WinogradConvolution>& convolution,
                                           const at::Tensor& weight, bool input_gradient,
                                           std::int64_t stride) {
    if (convolution) {
      convolution->repack(weight);
    } else {
      convolution.emplace(weight, input_gradient, stride);
    }
    return *convolution;
  }

  std::mutex mutex_;
  std::map<Shape, Kernels> kernels_;
  Workspace workspace_;
};

namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

models::Window window_of(const torch::nn::detail::ConvNdOptions<2>& options) {
  const auto& padding = std::get<torch::ExpandingArray<2>>(options.padding());
  models::Window window;
  for (std::size_t i = 0; i < 2; ++i) {
    window.kernel[i] = options.kernel_size()->at(i);
    window.stride[i] = options.stride()->at(i);
    window.padding[i] = padding->at(i);
    window.dilation[i] = options.dilation()->at(i);
  }
  window.groups = options.groups();
  return window;
}

bool takes_winograd(const at::Tensor& x, const at::Tensor& weight, const models::Window& window) {
  return best_instruction_set() != InstructionSet::portable && is_plain(x) && is_plain(weight) &&
         x.dim() == 4 && x.size(0) > 0 && x.size(1) == weight.size(1) &&
         WinogradConvolution::supports(weight, window) &&
         WinogradConvolution::pays(weight, window.stride[0], {x.size(0), x.size(2), x.size(3)}) &&
         is_plain_call();
}

at::Tensor empty_channels_last(at::IntArrayRef sizes) {
  return at::empty(sizes, at::TensorOptions(at::kFloat), at::MemoryFormat::ChannelsLast);
}
at::Tensor as_channels_last(const at::Tensor& x) {
  return x.detach().contiguous(at::MemoryFormat::ChannelsLast);
}

struct TrainingConvolution final : torch::autograd::Node {
  variable_list apply(variable_list&& gradients) override {
    TORCH_CHECK(kernels,
                "the graph of this convolution is gone: backward with retain_graph to go back "
                "through it again");
    if (!gradients[0].defined()) return {at::Tensor(), at::Tensor(), at::Tensor()};
    const auto images = x.unpack(), weights = weight.unpack();
    const std::array<bool, 3> wanted{task_should_compute_output(0), task_should_compute_output(1),
                                     task_should_compute_output(2)};
    if (at::GradMode::is_enabled()) return with_graph(gradients[0], images, weights, wanted);
    return by_kernels(gradients[0], images, weights, wanted);
  }

  variable_list by_kernels(const at::Tensor& by_output, const at::Tensor& images,
                           const at::Tensor& weights, const std::array<bool, 3>& wanted) const {
    const auto gradient = as_channels_last(by_output.to(at::kFloat));
    variable_list to(3);
    if (wanted[0]) {
      to[0] = empty_channels_last(images.sizes());
      kernels->input_gradient(gradient, weights, to[0], stride);
    }
    if (wanted[1]) {
      to[1] = at::empty_like(weights);
      kernels->weight_gradient(as_channels_last(images), gradient, to[1], stride);
    }
    if (wanted[2]) to[2] = gradient.sum({0, 2, 3});
    return to;
  }

  /// Gradients that can be differentiated.
  variable_list with_graph(const at::Tensor& gradient, const at::Tensor& images,
                           const at::Tensor& weights, const std::array<bool, 3>& wanted) const {
    auto [by_x, by_weight, by_bias] =
        at::convolution_backward(gradient, images, weights, at::IntArrayRef{weights.size(0)},
                                 {stride, stride}, {1, 1}, {1, 1}, false, {0, 0}, 1, wanted);
    return {by_x, by_weight, by_bias};
  }

  void release_variables() override {
    kernels.reset();
    x.reset_data();
    weight.reset_data();
  }
  std::string name() const override { return "NamidTrainingConvolution"; }

  std::shared_ptr<TrainingKernels> kernels;
  std::int64_t stride = 1;
  SavedVariable x, weight;
};

}  // namespace

TrainingConvolutions::TrainingConvolutions() : kernels_(std::make_shared<TrainingKernels>()) {}

at::Tensor TrainingConvolutions::conv2d(const at::Tensor& x, const torch::nn::Conv2dImpl& layer) {
  const auto window = window_of(layer.options);
  if (!takes_winograd(x, layer.weight, window)) return {};
  const std::int64_t stride = window.stride[0];
  const auto results = [&](std::int64_t size) { return (size + stride - 1) / stride; };
  const auto y = empty_channels_last(
      {x.size(0), layer.weight.size(0), results(x.size(2)), results(x.size(3))});
  kernels_->forward(as_channels_last(x), layer.weight, layer.bias, y, stride);
  if (!at::GradMode::is_enabled()) return y;
  auto edges = torch::autograd::collect_next_edges(x, layer.weight, layer.bias);
  if (std::none_of(edges.begin(), edges.end(), [](const auto& edge) { return edge.is_valid(); }))
    return y;
  const auto node = c10::make_intrusive<TrainingConvolution>();
  node->set_next_edges(std::move(edges));
  node->kernels = kernels_;
  node->stride = stride;
  node->x = SavedVariable(x, false);
  node->weight = SavedVariable(layer.weight, false);
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace namid::engine
