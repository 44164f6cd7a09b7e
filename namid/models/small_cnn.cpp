// SPDX-License-Identifier: Apache-2.0
#include "namid/models/small_cnn.h"

#include "namid/models/layers.h"

namespace namid::models {
namespace {

class SmallCnn final : public Network {
 public:
  explicit SmallCnn(NetworkShape shape) : shape_(std::move(shape)) {
    const auto w = shape_.width_or(32);
    const auto pixels = (shape_.input_shape[1] / 4) * (shape_.input_shape[2] / 4);
    conv1_ = register_module("conv1", conv(shape_.input_shape[0], w, 3, 1, 1));
    bn1_ = register_module("bn1", torch::nn::BatchNorm2d(w));
    conv2_ = register_module("conv2", conv(w, 2 * w, 3, 1, 1));
    bn2_ = register_module("bn2", torch::nn::BatchNorm2d(2 * w));
    fc1_ = register_module("fc1", torch::nn::Linear(2 * w * pixels, 4 * w));
    fc2_ = register_module("fc2", torch::nn::Linear(4 * w, shape_.num_classes));
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    check_layer(layer);
    // ReLU and max-pooling commute, values and gradients alike; pooled first, ReLU has a quarter of
    // the work.
    auto h = torch::max_pool2d(bn1_(conv1_(x)), 2).relu_();
    h = torch::max_pool2d(bn2_(conv2_(h)), 2).relu_();
    return fc2_(torch::relu(fc1_(h.flatten(1))));
  }
  std::shared_ptr<Network> build_again() const override { return make_small_cnn(shape_); }

 private:
  NetworkShape shape_;
  Conv2d conv1_{nullptr}, conv2_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr};
  torch::nn::Linear fc1_{nullptr}, fc2_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_small_cnn(const NetworkShape& shape) {
  return std::make_shared<SmallCnn>(shape);
}

}  // namespace namid::models
