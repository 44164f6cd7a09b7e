// SPDX-License-Identifier: Apache-2.0
#include "namid/models/program_classifier.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/copy_state.h"

namespace namid::models {
namespace {

at::Tensor hash_bytes(const std::string& hex) {
  std::vector<std::int64_t> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(std::stoi(hex.substr(i, 2), nullptr, 16));
  return at::tensor(bytes, at::kByte);
}

}  // namespace

ProgramClassifier::ProgramClassifier(ClassifierInfo info, TensorMap state,
                                     std::vector<bool> parameter, const std::string& sha256)
    : ClassifierImpl(std::move(info)),
      state_(std::move(state)),
      parameter_(std::move(parameter)),
      sha256_(sha256),
      program_(hash_bytes(sha256)) {
  for (std::size_t i = 0; i < state_.size(); ++i)
    if (parameter_[i] && state_[i].second.is_floating_point())
      state_[i].second.set_requires_grad(true);
}

at::Tensor ProgramClassifier::forward(const at::Tensor& x, Layer layer) {
  if (layer != Layer::logits)
    throw OptionError(
        str("[model] layer: ", info().name, " is a program, whose only layer are the logits"));
  const bool reorder = channels_last_ && x.dim() == 4;
  const auto logits = run(reorder ? x.contiguous(at::MemoryFormat::ChannelsLast) : x);
  if (!logits.defined() || logits.sizes() != at::IntArrayRef({x.size(0), info().num_classes}))
    throw DataError(str("[model] ", info().name, ": expected logits of shape (", x.size(0), ", ",
                        info().num_classes, "), got ",
                        logits.defined() ? shape_text(logits.sizes()) : "nothing"));
  return logits;
}

std::vector<at::Tensor> ProgramClassifier::parameters() const {
  std::vector<at::Tensor> found;
  for (std::size_t i = 0; i < state_.size(); ++i)
    if (parameter_[i]) found.push_back(state_[i].second);
  return found;
}

TensorMap ProgramClassifier::state_dict() const {
  TensorMap named;
  for (const auto& [name, tensor] : state_) named.emplace_back(name, tensor.detach());
  named.emplace_back(kProgramKey, program_);
  return named;
}

void ProgramClassifier::load_state_dict(const TensorMap& state) {
  TensorMap weights;
  for (const auto& [name, tensor] : state) {
    if (name != kProgramKey)
      weights.emplace_back(name, tensor);
    else if (!at::equal(tensor.cpu(), program_))
      throw DataError("state dict belongs to another program (namid.program differs)");
  }
  auto own = state_dict();
  own.pop_back();
  copy_state(own, weights);
}

void ProgramClassifier::to(const at::Device& device) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : state_) tensor.set_data(tensor.to(device));
  device_ = device;
  move_normalisation(device);
}

void ProgramClassifier::use_channels_last(bool on) {
  channels_last_ = on && any_order();
  const auto format =
      channels_last_ ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  for (std::size_t i = 0; i < state_.size(); ++i)
    if (auto& tensor = state_[i].second; parameter_[i] && tensor.dim() == 4)
      tensor.set_data(tensor.detach().contiguous(format));
}

void ProgramClassifier::take_settings(const ProgramClassifier& other) {
  for (std::size_t i = 0; i < state_.size(); ++i)
    state_[i].second.set_requires_grad(other.state_[i].second.requires_grad());
  device_ = other.device_;
  move_normalisation(device_);
  training_ = other.training_;
  channels_last_ = other.channels_last_;
}

std::shared_ptr<void> ProgramClassifier::frozen_eval() {
  std::vector<std::pair<at::Tensor, bool>> flags;
  for (auto& parameter : parameters()) {
    flags.emplace_back(parameter, parameter.requires_grad());
    parameter.set_requires_grad(false);
  }
  const bool was_training = std::exchange(training_, false);
  const auto restore = [self = shared_from_this(), flags, was_training](void*) mutable {
    for (auto& [parameter, was] : flags) parameter.set_requires_grad(was);
    self->training_ = was_training;
  };
  return {this, restore};
}

}  // namespace namid::models
