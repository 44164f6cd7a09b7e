// SPDX-License-Identifier: Apache-2.0
#include "namid/models/layers.h"
#include "namid/models/resnet.h"

namespace namid::models {
namespace {

namespace nn = torch::nn;

class PreactBlockImpl : public nn::Module {
 public:
  PreactBlockImpl(std::int64_t in, std::int64_t out, std::int64_t stride)
      : bn1_(register_module("bn1", nn::BatchNorm2d(in))),
        conv1_(register_module("conv1", conv(in, out, 3, stride, 1))),
        bn2_(register_module("bn2", nn::BatchNorm2d(out))),
        conv2_(register_module("conv2", conv(out, out, 3, 1, 1))) {
    if (stride != 1 || in != out)
      shortcut_ = register_module("shortcut", nn::Sequential(conv(in, out, 1, stride)));
  }
  at::Tensor forward(const at::Tensor& x) {
    const auto activated = torch::relu(bn1_(x));
    const auto skipped = shortcut_ ? shortcut_->forward(activated) : x;
    return conv2_(torch::relu(bn2_(conv1_(activated)))) + skipped;
  }

 private:
  nn::BatchNorm2d bn1_;
  Conv2d conv1_;
  nn::BatchNorm2d bn2_;
  Conv2d conv2_;
  nn::Sequential shortcut_{nullptr};
};
TORCH_MODULE(PreactBlock);

class PreactResNet18 final : public Network {
 public:
  explicit PreactResNet18(NetworkShape shape) : shape_(std::move(shape)) {
    const auto width = shape_.width_or(64);
    conv1_ = register_module("conv1", conv(shape_.input_shape[0], width, 3, 1, 1));
    auto in = width;
    for (int i = 0; i < 4; ++i) {
      const auto out = width << i;
      stages_.push_back(register_module(
          "layer" + std::to_string(i + 1),
          nn::Sequential(PreactBlock(in, out, i ? 2 : 1), PreactBlock(out, out, 1))));
      in = out;
    }
    bn_ = register_module("bn", nn::BatchNorm2d(in));
    linear_ = register_module("linear", nn::Linear(in, shape_.num_classes));
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    auto h = conv1_(x);
    for (std::size_t i = 0; i < 3; ++i) h = stages_[i]->forward(h);
    if (layer == Layer::internal) return h;
    h = stages_[3]->forward(h);
    if (layer == Layer::internal_last) return h;
    return linear_(global_average(torch::relu(bn_(h))).flatten(1));
  }
  bool has_layer(Layer) const override { return true; }
  std::shared_ptr<Network> build_again() const override { return make_preact_resnet18(shape_); }

 private:
  NetworkShape shape_;
  Conv2d conv1_{nullptr};
  std::vector<nn::Sequential> stages_;
  nn::BatchNorm2d bn_{nullptr};
  nn::Linear linear_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_preact_resnet18(const NetworkShape& shape) {
  return std::make_shared<PreactResNet18>(shape);
}

}  // namespace namid::models
