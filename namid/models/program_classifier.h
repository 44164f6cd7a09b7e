// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "namid/models/classifier_impl.h"

namespace namid::models {

/// Entry of a state dict that tells programs of equal weights apart.
inline constexpr auto kProgramKey = "namid.program";

/// What programs of files have in common: a state by name, a mode that says nothing, and the hash
/// of the program in the state dict.
class ProgramClassifier : public ClassifierImpl,
                          public std::enable_shared_from_this<ProgramClassifier> {
 public:
  /// `state`: parameters first or not, in the program's order; `parameter[i]` tells which are.
  ProgramClassifier(ClassifierInfo info, TensorMap state, std::vector<bool> parameter,
                    const std::string& sha256);

  /// OptionError for a layer other than the logits, DataError for logits of another shape.
  at::Tensor forward(const at::Tensor& x, Layer layer) override;
  bool has_layer(Layer layer) const override { return layer == Layer::logits; }
  std::vector<at::Tensor> parameters() const override;
  TensorMap state_dict() const override;
  /// "namid.program" may be left out; where it is there it must be this program's.
  void load_state_dict(const TensorMap& state) override;
  void train(bool on) override { training_ = on; }
  bool is_training() const override { return training_; }
  at::Device device() const override { return device_; }
  void to(const at::Device& device) override;
  void use_channels_last(bool on) override;
  std::shared_ptr<void> frozen_eval() override;

 protected:
  virtual at::Tensor run(const at::Tensor& x) = 0;
  /// Whether the program may be given another memory order than at its export.
  virtual bool any_order() const = 0;
  /// Device, memory order, mode and requires_grad flags of the one this is a copy of.
  void take_settings(const ProgramClassifier& other);
  const std::string& sha256() const { return sha256_; }
  const std::vector<bool>& parameter_flags() const { return parameter_; }

  TensorMap state_;

 private:
  std::vector<bool> parameter_;
  std::string sha256_;
  at::Tensor program_;
  at::Device device_ = at::kCPU;
  bool training_ = false, channels_last_ = false;
};

}  // namespace namid::models
