// SPDX-License-Identifier: Apache-2.0
#include "namid/models/classifier.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/classifier_impl.h"
#include "namid/models/copy_state.h"
#include "namid/models/region_forward.h"

namespace namid::models {
namespace {

at::Tensor per_channel(const std::vector<double>& values, std::size_t rank) {
  if (values.empty()) return {};
  std::vector<std::int64_t> shape(rank + 1, 1);
  shape[1] = static_cast<std::int64_t>(values.size());
  return at::tensor(values, at::kDouble).view(shape);
}

}  // namespace

void check_info(const ClassifierInfo& info) {
  if (info.num_classes < 2)
    throw OptionError(str("[model] num_classes: expected ≥ 2, got ", info.num_classes));
  const auto positive = [](auto size) { return size > 0; };
  if (info.input_shape.empty() ||
      !std::all_of(info.input_shape.begin(), info.input_shape.end(), positive))
    throw OptionError(str("[model] input_shape: expected positive sizes such as (3, 32, 32), got ",
                          shape_text(info.input_shape)));
  const auto channels = static_cast<std::size_t>(info.input_shape[0]);
  if (info.mean.size() != info.std.size() || (!info.mean.empty() && info.mean.size() != channels))
    throw OptionError(str("[model] mean, std: expected one number per channel (", channels,
                          ") in each, or none, got ", info.mean.size(), " and ", info.std.size()));
  for (const double value : info.std)
    if (!(value > 0)) throw OptionError(str("[model] std: expected > 0, got ", value));
}

ClassifierImpl::ClassifierImpl(ClassifierInfo info) : info_(std::move(info)) {
  check_info(info_);
  mean_ = per_channel(info_.mean, info_.input_shape.size());
  std_ = per_channel(info_.std, info_.input_shape.size());
}

void ClassifierImpl::check_images(const at::Tensor& x, bool any_size) const {
  const std::size_t compared = any_size ? 1 : info_.input_shape.size();
  const bool fits =
      x.dim() == static_cast<std::int64_t>(info_.input_shape.size()) + 1 &&
      x.sizes().slice(1, compared) == at::IntArrayRef(info_.input_shape).slice(0, compared);
  if (!fits || !x.is_floating_point())
    throw OptionError(str("[model] x: expected a float batch (N, ",
                          shape_text(info_.input_shape).substr(1), ", got ",
                          c10::toString(x.scalar_type()), " ", shape_text(x.sizes())));
}

at::Tensor ClassifierImpl::normalised(const at::Tensor& x, bool any_size) const {
  check_images(x, any_size);
  if (!mean_.defined()) return x;
  return (x - mean_.to(x.options())) / std_.to(x.options());
}

void ClassifierImpl::move_normalisation(const at::Device& device) {
  if (!mean_.defined()) return;
  mean_ = mean_.to(device);
  std_ = std_.to(device);
}

std::unique_ptr<RegionForward> ClassifierImpl::region_forward(std::int64_t /*rows*/) {
  return nullptr;
}

Classifier::Classifier(std::shared_ptr<Network> network, ClassifierInfo info)
    : impl_(wrap_network(std::move(network), std::move(info))) {}

Classifier::Classifier(Function function, ClassifierInfo info, std::vector<at::Tensor> parameters)
    : impl_(wrap_function(std::move(function), std::move(info), std::move(parameters))) {}

const ClassifierInfo& Classifier::info() const {
  return impl_->info();
}

at::Tensor Classifier::operator()(const at::Tensor& x) const {
  return (*this)(x, Layer::logits);
}

at::Tensor Classifier::at_any_size(const at::Tensor& x) const {
  return impl_->forward(impl_->normalised(x, true), Layer::logits);
}

at::Tensor Classifier::operator()(const at::Tensor& x, Layer layer) const {
  return impl_->forward(impl_->normalised(x), layer);
}

std::vector<at::Tensor> Classifier::parameters() const {
  return impl_->parameters();
}
TensorMap Classifier::state_dict() const {
  return impl_->state_dict();
}
void Classifier::load_state_dict(const TensorMap& state) const {
  impl_->load_state_dict(state);
}
void Classifier::train(bool on) const {
  impl_->train(on);
}
bool Classifier::is_training() const {
  return impl_->is_training();
}
at::Device Classifier::device() const {
  return impl_->device();
}
void Classifier::to(const at::Device& device) const {
  impl_->to(device);
}
void Classifier::use_channels_last(bool on) const {
  impl_->use_channels_last(on);
}
Classifier Classifier::clone() const {
  return impl_->clone();
}
bool Classifier::has_layer(Layer layer) const {
  return impl_->has_layer(layer);
}
std::shared_ptr<Network> Classifier::network() const {
  return impl_->network();
}
std::unique_ptr<RegionForward> Classifier::region_forward(std::int64_t rows) const {
  return impl_->region_forward(rows);
}
std::shared_ptr<void> Classifier::frozen_eval() const {
  return impl_->frozen_eval();
}

}  // namespace namid::models
