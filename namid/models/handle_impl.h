// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/classifier_impl.h"

namespace namid::models {

/// A classifier that is another one computed otherwise: weights, mode, device and info are that
/// one's, present and future; forward and clone are its own. Images reach forward as they were
/// given, for the model normalises by itself.
class HandleImpl : public ClassifierImpl {
 public:
  at::Tensor normalised(const at::Tensor& x, bool any_size) const override {
    check_images(x, any_size);
    return x;
  }
  bool has_layer(Layer layer) const override { return model_.has_layer(layer); }
  std::shared_ptr<Network> network() const override { return model_.network(); }
  std::vector<at::Tensor> parameters() const override { return model_.parameters(); }
  TensorMap state_dict() const override { return model_.state_dict(); }
  void load_state_dict(const TensorMap& state) override { model_.load_state_dict(state); }
  void train(bool on) override { model_.train(on); }
  bool is_training() const override { return model_.is_training(); }
  at::Device device() const override { return model_.device(); }
  void to(const at::Device& device) override { model_.to(device); }
  void use_channels_last(bool on) override { model_.use_channels_last(on); }
  std::shared_ptr<void> frozen_eval() override { return model_.frozen_eval(); }

 protected:
  explicit HandleImpl(const Classifier& model) : ClassifierImpl(model.info()), model_(model) {}
  /// The model's own forward, of images of any size where it is the logits that are asked for.
  at::Tensor by_model(const at::Tensor& x, Layer layer) const {
    const bool usual = x.sizes().slice(1) == at::IntArrayRef(info().input_shape);
    return layer == Layer::logits && !usual ? model_.at_any_size(x) : model_(x, layer);
  }

  Classifier model_;
};

}  // namespace namid::models
