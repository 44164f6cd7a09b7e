// SPDX-License-Identifier: Apache-2.0
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/classifier_impl.h"
#include "namid/models/copy_state.h"

namespace namid::models {
namespace {

using Flags = std::vector<std::pair<at::Tensor, bool>>;

class FunctionClassifier final : public ClassifierImpl,
                                 public std::enable_shared_from_this<FunctionClassifier> {
 public:
  FunctionClassifier(Classifier::Function function, ClassifierInfo info,
                     std::vector<at::Tensor> parameters)
      : ClassifierImpl(std::move(info)),
        function_(std::move(function)),
        parameters_(std::move(parameters)) {
    if (!function_) throw OptionError("[model] function: expected a callable, got none");
    if (!parameters_.empty()) device_ = parameters_.front().device();
    move_normalisation(device_);
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    if (!has_layer(layer))
      throw OptionError("[model] layer: expected logits, the only layer of a callable");
    at::Tensor logits = function_(x);
    if (!logits.defined() || logits.sizes() != at::IntArrayRef({x.size(0), info().num_classes}))
      throw OptionError(str("[model] ", info().name, ": expected logits of shape (", x.size(0),
                            ", ", info().num_classes, "), got ",
                            logits.defined() ? shape_text(logits.sizes()) : "nothing"));
    return logits;
  }
  bool has_layer(Layer layer) const override { return layer == Layer::logits; }
  std::vector<at::Tensor> parameters() const override { return parameters_; }

  TensorMap state_dict() const override {
    TensorMap state;
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      state.emplace_back(str("parameter.", i), parameters_[i].detach());
    return state;
  }
  void load_state_dict(const TensorMap& state) override { copy_state(state_dict(), state); }

  void train(bool on) override { training_ = on; }
  bool is_training() const override { return training_; }
  at::Device device() const override { return device_; }
  void to(const at::Device& device) override {
    if (!parameters_.empty() && device != device_)
      throw OptionError(
          str("[model] device: ", info().name,
              " is a callable with parameters of its own; move it before wrapping it"));
    device_ = device;
    move_normalisation(device);
  }
  void use_channels_last(bool) override {
    throw OptionError("[model] channels_last: a callable chooses its own memory order");
  }
  Classifier clone() const override {
    throw OptionError(
        str("[model] clone: ", info().name, " is a callable, whose state cannot be copied"));
  }

  std::shared_ptr<void> frozen_eval() override {
    Flags flags;
    for (auto& p : parameters_) {
      flags.emplace_back(p, p.requires_grad());
      p.set_requires_grad(false);
    }
    const bool was_training = std::exchange(training_, false);
    const auto restore = [self = shared_from_this(), flags, was_training](void*) mutable {
      for (auto& [p, was] : flags) p.set_requires_grad(was);
      self->training_ = was_training;
    };
    return {this, restore};
  }

 private:
  Classifier::Function function_;
  std::vector<at::Tensor> parameters_;
  at::Device device_ = at::kCPU;
  bool training_ = false;
};

}  // namespace

std::shared_ptr<ClassifierImpl> wrap_function(Classifier::Function function, ClassifierInfo info,
                                              std::vector<at::Tensor> parameters) {
  return std::make_shared<FunctionClassifier>(std::move(function), std::move(info),
                                              std::move(parameters));
}

}  // namespace namid::models
