// SPDX-License-Identifier: Apache-2.0
#include "namid/models/mlp.h"

#include "namid/models/layers.h"

namespace namid::models {
namespace {

class Mlp final : public Network {
 public:
  explicit Mlp(NetworkShape shape) : shape_(std::move(shape)) {
    const auto width = shape_.width_or(256);
    const auto inputs = c10::multiply_integers(shape_.input_shape);
    fc1_ = register_module("fc1", torch::nn::Linear(inputs, width));
    fc2_ = register_module("fc2", torch::nn::Linear(width, width));
    fc3_ = register_module("fc3", torch::nn::Linear(width, shape_.num_classes));
  }
  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    check_layer(layer);
    return fc3_(torch::relu(fc2_(torch::relu(fc1_(x.flatten(1))))));
  }
  std::shared_ptr<Network> build_again() const override { return make_mlp(shape_); }

 private:
  NetworkShape shape_;
  torch::nn::Linear fc1_{nullptr}, fc2_{nullptr}, fc3_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_mlp(const NetworkShape& shape) {
  return std::make_shared<Mlp>(shape);
}

}  // namespace namid::models
