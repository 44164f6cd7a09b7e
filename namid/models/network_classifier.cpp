// SPDX-License-Identifier: Apache-2.0
#include "namid/core/error.h"
#include "namid/models/classifier_impl.h"
#include "namid/models/network.h"

namespace namid::models {
namespace {

class NetworkClassifier final : public ClassifierImpl {
 public:
  NetworkClassifier(std::shared_ptr<Network> network, ClassifierInfo info)
      : ClassifierImpl(std::move(info)), network_(std::move(network)) {
    if (!network_) throw OptionError("[model] network: expected a network, got none");
    move_normalisation(NetworkClassifier::device());
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    if (channels_last_ && x.dim() == 4)
      return network_->forward(x.contiguous(at::MemoryFormat::ChannelsLast), layer);
    return network_->forward(x, layer);
  }
  bool has_layer(Layer layer) const override { return network_->has_layer(layer); }
  std::shared_ptr<Network> network() const override { return network_; }
  std::vector<at::Tensor> parameters() const override { return network_->parameters(); }
  TensorMap state_dict() const override { return models::state_dict(*network_); }
  void load_state_dict(const TensorMap& state) override {
    models::load_state_dict(*network_, state);
  }
  void train(bool on) override { network_->train(on); }
  bool is_training() const override { return network_->is_training(); }

  at::Device device() const override {
    const auto tensors = network_->parameters();
    return tensors.empty() ? at::Device(at::kCPU) : tensors.front().device();
  }
  void to(const at::Device& device) override {
    network_->to(device);
    move_normalisation(device);
  }

  void use_channels_last(bool on) override {
    channels_last_ = on;
    const auto format = on ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    for (auto& p : network_->parameters())
      if (p.dim() == 4) p.set_data(p.detach().contiguous(format));
  }

  Classifier clone() const override {
    Classifier copy(deep_copy(*network_), info());
    if (channels_last_) copy.use_channels_last(true);
    return copy;
  }
  std::shared_ptr<void> frozen_eval() override { return models::frozen_eval(network_); }

 private:
  std::shared_ptr<Network> network_;
  bool channels_last_ = false;
};

}  // namespace

std::shared_ptr<ClassifierImpl> wrap_network(std::shared_ptr<Network> network,
                                             ClassifierInfo info) {
  return std::make_shared<NetworkClassifier>(std::move(network), std::move(info));
}

}  // namespace namid::models
