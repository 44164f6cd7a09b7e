// SPDX-License-Identifier: Apache-2.0
#include "namid/models/wideresnet.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/layers.h"

namespace namid::models {
namespace {

namespace nn = torch::nn;

Conv2d normal_conv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  auto layer = conv(in, out, kernel, stride, kernel / 2);
  const torch::NoGradGuard no_grad;
  layer->weight.normal_(0, std::sqrt(2.0 / static_cast<double>(kernel * kernel * out)));
  return layer;
}

class WideBlockImpl : public nn::Module {
 public:
  WideBlockImpl(std::int64_t in, std::int64_t out, std::int64_t stride)
      : bn1_(register_module("bn1", nn::BatchNorm2d(in))),
        conv1_(register_module("conv1", normal_conv(in, out, 3, stride))),
        bn2_(register_module("bn2", nn::BatchNorm2d(out))),
        conv2_(register_module("conv2", normal_conv(out, out, 3, 1))) {
    if (in != out) shortcut_ = register_module("convShortcut", normal_conv(in, out, 1, stride));
  }
  at::Tensor forward(const at::Tensor& x) {
    const auto activated = torch::relu(bn1_(x));
    const auto branch = conv2_(torch::relu(bn2_(conv1_(activated))));
    return branch + (shortcut_ ? shortcut_(activated) : x);
  }

 private:
  nn::BatchNorm2d bn1_;
  Conv2d conv1_;
  nn::BatchNorm2d bn2_;
  Conv2d conv2_;
  Conv2d shortcut_{nullptr};
};
TORCH_MODULE(WideBlock);

class GroupImpl : public nn::Module {
 public:
  GroupImpl(int blocks, std::int64_t in, std::int64_t out, std::int64_t stride) {
    nn::Sequential layer;
    for (int b = 0; b < blocks; ++b) layer->push_back(WideBlock(b ? out : in, out, b ? 1 : stride));
    layer_ = register_module("layer", layer);
  }
  at::Tensor forward(const at::Tensor& x) { return layer_->forward(x); }

 private:
  nn::Sequential layer_{nullptr};
};
TORCH_MODULE(Group);

class WideResNet final : public Network {
 public:
  WideResNet(int depth, int widen, bool with_sub_block, NetworkShape shape)
      : depth_(depth), widen_(widen), with_sub_block_(with_sub_block), shape_(std::move(shape)) {
    const int blocks = (depth - 4) / 6;
    const auto stem = shape_.width_or(16), width = stem * widen;
    conv1_ = register_module("conv1", normal_conv(shape_.input_shape[0], stem, 3, 1));
    block1_ = register_module("block1", Group(blocks, stem, width, 1));
    if (with_sub_block) register_module("sub_block1", Group(blocks, stem, width, 1));
    block2_ = register_module("block2", Group(blocks, width, 2 * width, 2));
    block3_ = register_module("block3", Group(blocks, 2 * width, 4 * width, 2));
    bn1_ = register_module("bn1", nn::BatchNorm2d(4 * width));
    fc_ = register_module("fc", nn::Linear(4 * width, shape_.num_classes));
    nn::init::zeros_(fc_->bias);
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    auto h = block2_(block1_(conv1_(x)));
    if (layer == Layer::internal) return h;
    h = block3_(h);
    if (layer == Layer::internal_last) return h;
    return fc_(global_average(torch::relu(bn1_(h))).flatten(1));
  }
  bool has_layer(Layer) const override { return true; }
  std::shared_ptr<Network> build_again() const override {
    return make_wideresnet(depth_, widen_, with_sub_block_, shape_);
  }

 private:
  int depth_, widen_;
  bool with_sub_block_;
  NetworkShape shape_;
  Conv2d conv1_{nullptr};
  Group block1_{nullptr}, block2_{nullptr}, block3_{nullptr};
  nn::BatchNorm2d bn1_{nullptr};
  nn::Linear fc_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_wideresnet(int depth, int widen, bool with_sub_block,
                                         const NetworkShape& shape) {
  if (depth < 10 || (depth - 4) % 6 != 0)
    throw OptionError(
        str("[model] wideresnet: expected a depth of 6n + 4, at least 10, got ", depth));
  if (widen < 1) throw OptionError(str("[model] wideresnet: expected widen ≥ 1, got ", widen));
  return std::make_shared<WideResNet>(depth, widen, with_sub_block, shape);
}

}  // namespace namid::models
