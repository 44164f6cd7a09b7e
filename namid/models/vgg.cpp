// SPDX-License-Identifier: Apache-2.0
#include "namid/models/vgg.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/pooling.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/layers.h"

namespace namid::models {
namespace {

namespace nn = torch::nn;

std::array<int, 5> convolutions_per_stage(int depth) {
  switch (depth) {
    case 11:
      return {1, 1, 2, 2, 2};
    case 13:
      return {2, 2, 2, 2, 2};
    case 16:
      return {2, 2, 3, 3, 3};
    case 19:
      return {2, 2, 4, 4, 4};
    default:
      throw OptionError(str("[model] vgg: expected depth 11, 13, 16 or 19, got ", depth));
  }
}

class Vgg final : public Network {
 public:
  Vgg(int depth, NetworkShape shape) : depth_(depth), shape_(std::move(shape)) {
    const auto stages = convolutions_per_stage(depth);
    const auto width = shape_.width_or(64);
    auto in = shape_.input_shape[0];
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const auto out = width << std::min<std::size_t>(i, 3);
      for (int c = 0; c < stages[i]; ++c) {
        features_->push_back(Conv2d(nn::Conv2dOptions(in, out, 3).padding(1)));
        features_->push_back(nn::BatchNorm2d(out));
        features_->push_back(nn::ReLU());
        in = out;
      }
      features_->push_back(nn::MaxPool2d(nn::MaxPool2dOptions(2).stride(2).ceil_mode(true)));
    }
    register_module("features", features_);
    linear_ = register_module("linear", nn::Linear(in, shape_.num_classes));
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    check_layer(layer);
    return linear_(global_average(features_->forward(x)).flatten(1));
  }
  std::shared_ptr<Network> build_again() const override { return make_vgg(depth_, shape_); }

 private:
  int depth_;
  NetworkShape shape_;
  nn::Sequential features_;
  nn::Linear linear_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_vgg(int depth, const NetworkShape& shape) {
  return std::make_shared<Vgg>(depth, shape);
}

}  // namespace namid::models
