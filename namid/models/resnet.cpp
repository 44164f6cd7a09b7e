// SPDX-License-Identifier: Apache-2.0
#include "namid/models/resnet.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/layers.h"

namespace namid::models {
namespace {

namespace nn = torch::nn;

struct Plan {
  std::array<int, 4> blocks;
  bool bottleneck;
};

Plan plan_of(int depth) {
  switch (depth) {
    case 18:
      return {{2, 2, 2, 2}, false};
    case 34:
      return {{3, 4, 6, 3}, false};
    case 50:
      return {{3, 4, 6, 3}, true};
    case 101:
      return {{3, 4, 23, 3}, true};
    case 152:
      return {{3, 8, 36, 3}, true};
    default:
      throw OptionError(str("[model] resnet: expected depth 18, 34, 50, 101 or 152, got ", depth));
  }
}

/// One residual block: convolutions with BatchNorm, added to a shortcut.
class BlockImpl : public nn::Module {
 public:
  BlockImpl(std::int64_t in, std::int64_t width, std::int64_t stride, bool bottleneck) {
    const auto out = bottleneck ? 4 * width : width;
    if (bottleneck) {
      add(in, width, 1, 1);
      add(width, width, 3, stride);
      add(width, out, 1, 1);
    } else {
      add(in, width, 3, stride);
      add(width, width, 3, 1);
    }
    if (stride != 1 || in != out)
      shortcut_ = register_module("shortcut",
                                  nn::Sequential(conv(in, out, 1, stride), nn::BatchNorm2d(out)));
  }

  at::Tensor forward(const at::Tensor& x) {
    auto h = x;
    for (std::size_t i = 0; i < convs_.size(); ++i) {
      if (i > 0) h = torch::relu(h);
      h = norms_[i](convs_[i](h));
    }
    return torch::relu(h + (shortcut_ ? shortcut_->forward(x) : x));
  }

 private:
  void add(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
    const auto number = str(convs_.size() + 1);
    convs_.push_back(register_module("conv" + number, conv(in, out, kernel, stride, kernel / 2)));
    norms_.push_back(register_module("bn" + number, nn::BatchNorm2d(out)));
  }

  std::vector<Conv2d> convs_;
  std::vector<nn::BatchNorm2d> norms_;
  nn::Sequential shortcut_{nullptr};
};
TORCH_MODULE(Block);

class ResNet final : public Network {
 public:
  ResNet(int depth, int stem_padding, NetworkShape shape)
      : depth_(depth), stem_padding_(stem_padding), shape_(std::move(shape)) {
    const auto plan = plan_of(depth);
    const auto width = shape_.width_or(64);
    conv1_ = register_module("conv1", conv(shape_.input_shape[0], width, 3, 1, stem_padding));
    bn1_ = register_module("bn1", nn::BatchNorm2d(width));
    auto in = width;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto stage_width = width << i;
      nn::Sequential stage;
      for (int b = 0; b < plan.blocks[i]; ++b) {
        stage->push_back(Block(in, stage_width, b == 0 && i > 0 ? 2 : 1, plan.bottleneck));
        in = plan.bottleneck ? 4 * stage_width : stage_width;
      }
      stages_[i] = register_module(str("layer", i + 1), stage);
    }
    linear_ = register_module("linear", nn::Linear(in, shape_.num_classes));
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    auto h = torch::relu(bn1_(conv1_(x)));
    for (std::size_t i = 0; i < 3; ++i) h = stages_[i]->forward(h);
    if (layer == Layer::internal) return h;
    h = stages_[3]->forward(h);
    if (layer == Layer::internal_last) return h;
    return linear_(global_average(h).flatten(1));
  }
  bool has_layer(Layer) const override { return true; }
  std::shared_ptr<Network> build_again() const override {
    return make_resnet(depth_, stem_padding_, shape_);
  }

 private:
  int depth_, stem_padding_;
  NetworkShape shape_;
  Conv2d conv1_{nullptr};
  nn::BatchNorm2d bn1_{nullptr};
  std::array<nn::Sequential, 4> stages_{nullptr, nullptr, nullptr, nullptr};
  nn::Linear linear_{nullptr};
};

}  // namespace

std::shared_ptr<Network> make_resnet(int depth, int stem_padding, const NetworkShape& shape) {
  return std::make_shared<ResNet>(depth, stem_padding, shape);
}

}  // namespace namid::models
