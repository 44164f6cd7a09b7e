// SPDX-License-Identifier: Apache-2.0
#include "namid/models/bfloat16.h"

#include <ATen/autocast_mode.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/classifier_impl.h"

namespace namid::models {
namespace {

/// Autocast to bfloat16 on one kind of device, on this thread, while the object lives. Casts of
/// weights are not cached: the cache outlives the scope where the caller has autocast on himself.
class BFloat16Scope {
 public:
  explicit BFloat16Scope(at::DeviceType device)
      : device_(device),
        enabled_(at::autocast::is_autocast_enabled(device)),
        type_(at::autocast::get_autocast_dtype(device)),
        cached_(at::autocast::is_autocast_cache_enabled()) {
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::set_autocast_cache_enabled(false);
    at::autocast::set_autocast_enabled(device_, true);
  }
  ~BFloat16Scope() {
    at::autocast::set_autocast_enabled(device_, enabled_);
    at::autocast::set_autocast_cache_enabled(cached_);
    at::autocast::set_autocast_dtype(device_, type_);
  }
  BFloat16Scope(const BFloat16Scope&) = delete;
  BFloat16Scope& operator=(const BFloat16Scope&) = delete;

 private:
  at::DeviceType device_;
  bool enabled_;
  at::ScalarType type_;
  bool cached_;
};

class BFloat16Classifier final : public ClassifierImpl {
 public:
  explicit BFloat16Classifier(const Classifier& model)
      : ClassifierImpl(model.info()), model_(model) {}

  /// The model normalises by itself.
  at::Tensor normalised(const at::Tensor& x, bool any_size) const override {
    check_images(x, any_size);
    return x;
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    const BFloat16Scope scope(x.device().type());
    if (layer != Layer::logits) return model_(x, layer).to(at::kFloat);
    const bool usual = x.sizes().slice(1) == at::IntArrayRef(info().input_shape);
    return (usual ? model_(x) : model_.at_any_size(x)).to(at::kFloat);
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
  Classifier clone() const override { return in_bfloat16(model_.clone()); }
  std::shared_ptr<void> frozen_eval() override { return model_.frozen_eval(); }

 private:
  Classifier model_;
};

}  // namespace

Classifier in_bfloat16(const Classifier& model) {
  const auto device = model.device().type();
  if (!at::autocast::is_autocast_available(device))
    throw OptionError(str("[model] in_bfloat16: this LibTorch has no autocast on device ",
                          c10::DeviceTypeName(device, true), "; use float32"));
  return Classifier(std::make_shared<BFloat16Classifier>(model));
}

}  // namespace namid::models
