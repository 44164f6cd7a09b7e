// SPDX-License-Identifier: Apache-2.0
#include "namid/models/mi_networks.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/functional.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/layers.h"
#include "namid/models/seeded_scope.h"

namespace namid::models {
namespace {

namespace nn = torch::nn;

nn::Sequential conv_bn_relu(std::int64_t in, std::int64_t out, std::int64_t kernel = 4) {
  const bool halves = kernel > 1;
  return nn::Sequential(conv(in, out, kernel, halves ? 2 : 1, halves ? 1 : 0), nn::BatchNorm2d(out),
                        nn::ReLU());
}

void append(nn::Sequential& to, const nn::Sequential& layers) {
  to->extend(*layers);
}

/// The common part: LayerNorm over channels of nonlinear(x) + shortcut(x).
class MiNetwork : public Network {
 public:
  MiNetwork(std::int64_t n_in, std::int64_t units) : n_in_(n_in), units_(units) {}

 protected:
  void add_pointwise_block(std::int64_t n_in) {
    nonlinear_ = conv_bn_relu(n_in, units_, 1);
    add_nonlinear();
    add_layer_norm();
    auto linear = register_module("linear_shortcut", conv(n_in, units_, 1));
    if (units_ >= n_in) {
      const torch::NoGradGuard no_grad;
      linear->weight.uniform_(-0.01, 0.01);
      linear->weight.flatten(1).diagonal().fill_(1);
    }
    shortcut_ = nn::Sequential(linear);
  }
  void add_nonlinear() {
    nonlinear_->push_back(nn::Conv2d(nn::Conv2dOptions(units_, units_, 1)));
    register_module("block_nonlinear", nonlinear_);
  }
  void add_layer_norm() {
    const auto permute = [](std::vector<std::int64_t> order) {
      return nn::Functional([order](const at::Tensor& x) { return x.permute(order); });
    };
    block_ln_ =
        register_module("block_ln", nn::Sequential(permute({0, 2, 3, 1}),
                                                   nn::LayerNorm(nn::LayerNormOptions({units_})),
                                                   permute({0, 3, 1, 2})));
  }
  at::Tensor sum_and_normalise(const at::Tensor& x) {
    return block_ln_->forward(nonlinear_->forward(x) + shortcut_->forward(x));
  }

  const std::int64_t n_in_, units_;
  nn::Sequential nonlinear_{nullptr}, shortcut_{nullptr}, block_ln_{nullptr};
};

class EstimatorNet final : public MiNetwork {
 public:
  EstimatorNet(std::int64_t channels, std::int64_t units) : MiNetwork(channels, units) {
    layer0_ = register_module("layer0", conv_bn_relu(channels, 64));
    layer1_ = register_module("layer1", conv_bn_relu(64, 128));
    add_pointwise_block(128);
  }
  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    check_layer(layer);
    return sum_and_normalise(layer1_->forward(layer0_->forward(x)));
  }
  std::shared_ptr<Network> build_again() const override {
    return std::make_shared<EstimatorNet>(n_in_, units_);
  }
  std::vector<ModuleAlias> aliases() const override {
    return {{"layers.0", "layer0", "layer1"}, {"layers.1", "layer1", "layer1"}};
  }

 private:
  nn::Sequential layer0_{nullptr}, layer1_{nullptr};
};

class PointwiseGlobalNet final : public MiNetwork {
 public:
  PointwiseGlobalNet(std::int64_t n_in, std::int64_t units) : MiNetwork(n_in, units) {
    add_pointwise_block(n_in);
  }
  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    check_layer(layer);
    return sum_and_normalise(x.dim() == 2 ? x.unsqueeze(2).unsqueeze(3) : x);
  }
  std::shared_ptr<Network> build_again() const override {
    return std::make_shared<PointwiseGlobalNet>(n_in_, units_);
  }
};

/// For feature maps of at least side x side; 8: layer 3 of a ResNet at 32x32, 4: layer 4.
class MapGlobalNet final : public MiNetwork {
 public:
  MapGlobalNet(std::int64_t n_in, std::int64_t units, std::int64_t side)
      : MiNetwork(n_in, units), side_(side) {
    nonlinear_ = conv_bn_relu(n_in, 2 * n_in);
    if (side == 8) append(nonlinear_, conv_bn_relu(2 * n_in, 4 * n_in));
    append(nonlinear_, conv_bn_relu(side == 8 ? 4 * n_in : 2 * n_in, units));
    add_nonlinear();
    add_layer_norm();
    const auto linear = side == 8 ? nn::Sequential(conv(n_in, 4 * n_in, 4, 2),
                                                   conv(4 * n_in, units, 3), conv(units, units, 1))
                                  : nn::Sequential(conv(n_in, units, 4), conv(units, units, 1));
    shortcut_ = register_module("linear_shortcut", linear);
  }
  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    check_layer(layer);
    const bool small = x.size(2) < side_ || x.size(3) < side_;
    const auto map = small ? torch::adaptive_avg_pool2d(
                                 x, {std::max(x.size(2), side_), std::max(x.size(3), side_)})
                           : x;
    return block_ln_->forward(average(nonlinear_->forward(map)) + average(shortcut_->forward(map)));
  }
  std::shared_ptr<Network> build_again() const override {
    return std::make_shared<MapGlobalNet>(n_in_, units_, side_);
  }

 private:
  static at::Tensor average(const at::Tensor& x) {
    return x.size(2) == 1 && x.size(3) == 1 ? x : global_average(x);
  }
  const std::int64_t side_;
};

void check_sizes(std::int64_t n_in, std::int64_t units) {
  if (n_in < 1) throw OptionError(str("[estimator] inputs: expected ≥ 1, got ", n_in));
  if (units < 1) throw OptionError(str("[estimator] units: expected ≥ 1, got ", units));
}

}  // namespace

std::shared_ptr<Network> make_local_net(std::int64_t channels, std::int64_t units,
                                        std::uint64_t seed) {
  check_sizes(channels, units);
  const SeededScope seeded(seed);
  return std::make_shared<EstimatorNet>(channels, units);
}

std::shared_ptr<Network> make_global_net(Layer layer, std::int64_t n_in, std::int64_t units,
                                         std::uint64_t seed) {
  check_sizes(n_in, units);
  const SeededScope seeded(seed);
  switch (layer) {
    case Layer::internal:
      return std::make_shared<MapGlobalNet>(n_in, units, 8);
    case Layer::internal_last:
      return std::make_shared<MapGlobalNet>(n_in, units, 4);
    case Layer::logits:
      break;
  }
  return std::make_shared<PointwiseGlobalNet>(n_in, units);
}

}  // namespace namid::models
