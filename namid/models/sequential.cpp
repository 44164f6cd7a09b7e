// SPDX-License-Identifier: Apache-2.0
#include "namid/models/sequential.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/pooling.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/conv2d.h"
#include "namid/models/copy_state.h"

namespace namid::models {
namespace {

namespace nn = torch::nn;

using Sizes = std::vector<std::int64_t>;

void need_rank(const LayerSpec& layer, std::size_t index, const Sizes& sizes, std::size_t rank) {
  if (sizes.size() == rank) return;
  const auto* mend = rank == 1 ? "a vector; put a flatten before it" : "an image (C, H, W)";
  throw OptionError(
      str(layer_place(index, layer.type), "its input ", shape_text(sizes), " should be ", mend));
}

/// Height and width after a window of kernel, stride and padding.
void slide(const LayerSpec& layer, std::size_t index, Sizes& sizes) {
  for (const auto axis : {1u, 2u}) {
    const auto padded = sizes[axis] + 2 * layer.padding;
    if (padded < layer.kernel)
      throw OptionError(str(layer_place(index, layer.type), "kernel ", layer.kernel,
                            " is larger than its padded input of ", padded));
    sizes[axis] = (padded - layer.kernel) / layer.stride + 1;
  }
}

/// Appends the module of one layer and moves `sizes` on to its output.
void append_layer(nn::Sequential& to, const LayerSpec& layer, std::size_t index, Sizes& sizes,
                  std::int64_t num_classes) {
  const auto kernel = layer.kernel, stride = layer.stride, padding = layer.padding;
  const auto in = sizes[0];
  switch (layer.type) {
    case LayerType::conv:
      need_rank(layer, index, sizes, 3);
      slide(layer, index, sizes);
      sizes[0] = layer.channels;
      to->push_back(Conv2d(nn::Conv2dOptions(in, layer.channels, kernel)
                               .stride(stride)
                               .padding(padding)
                               .bias(layer.bias)));
      return;
    case LayerType::linear:
      need_rank(layer, index, sizes, 1);
      sizes[0] = layer.features > 0 ? layer.features : num_classes;
      to->push_back(nn::Linear(nn::LinearOptions(in, sizes[0]).bias(layer.bias)));
      return;
    case LayerType::batchnorm:
      if (sizes.size() == 1) {
        to->push_back(nn::BatchNorm1d(in));
      } else {
        need_rank(layer, index, sizes, 3);
        to->push_back(nn::BatchNorm2d(in));
      }
      return;
    case LayerType::relu:
      to->push_back(nn::ReLU());
      return;
    case LayerType::maxpool:
      need_rank(layer, index, sizes, 3);
      slide(layer, index, sizes);
      to->push_back(nn::MaxPool2d(nn::MaxPool2dOptions(kernel).stride(stride).padding(padding)));
      return;
    case LayerType::avgpool:
      need_rank(layer, index, sizes, 3);
      slide(layer, index, sizes);
      to->push_back(nn::AvgPool2d(nn::AvgPool2dOptions(kernel).stride(stride).padding(padding)));
      return;
    case LayerType::global_avgpool:
      need_rank(layer, index, sizes, 3);
      sizes = {in, 1, 1};
      to->push_back(nn::AdaptiveAvgPool2d(1));
      return;
    case LayerType::flatten:
      sizes = {c10::multiply_integers(sizes)};
      to->push_back(nn::Flatten());
      return;
  }
}

class SequentialNetwork final : public Network {
 public:
  SequentialNetwork(std::vector<LayerSpec> layers, NetworkShape shape)
      : specs_(std::move(layers)), shape_(std::move(shape)) {
    auto sizes = shape_.input_shape;
    for (std::size_t i = 0; i < specs_.size(); ++i)
      append_layer(layers_, specs_[i], i, sizes, shape_.num_classes);
    if (sizes != Sizes{shape_.num_classes})
      throw OptionError(str(layer_place(specs_.size() - 1, specs_.back().type),
                            "the last layer gives ", shape_text(sizes), ", expected (",
                            shape_.num_classes, ") for that many classes"));
    for (const auto& child : layers_->named_children()) register_module(child.key(), child.value());
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    check_layer(layer);
    return layers_->forward(x);
  }
  std::shared_ptr<Network> build_again() const override { return make_sequential(specs_, shape_); }

 private:
  std::vector<LayerSpec> specs_;
  NetworkShape shape_;
  nn::Sequential layers_;
};

}  // namespace

std::shared_ptr<Network> make_sequential(const std::vector<LayerSpec>& layers,
                                         const NetworkShape& shape) {
  if (layers.empty()) throw OptionError("[model] layers: expected at least one layer");
  if (shape.width != 0)
    throw OptionError("[model] width: `sequential` takes its sizes from the layer list");
  return std::make_shared<SequentialNetwork>(layers, shape);
}

}  // namespace namid::models
