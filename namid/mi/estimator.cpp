// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/estimator.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/random.h"
#include "namid/mi/blocked_dv.h"
#include "namid/models/mi_networks.h"
#include "namid/models/network.h"

namespace namid::mi {
namespace {

using models::Layer;

constexpr std::string_view kLocal = "local.", kGlobal = "global.";

std::uint64_t derived_seed(std::uint64_t seed, std::string_view name) {
  const auto words = Random(seed, name).words({});
  return words[0] | static_cast<std::uint64_t>(words[1]) << 32;
}

std::int64_t global_inputs(const EstimatorInfo& info) {
  if (info.layer_channels > 0) return info.layer_channels;
  switch (info.layer) {
    case Layer::internal:
      return 256;
    case Layer::internal_last:
      return 512;
    case Layer::logits:
      break;
  }
  return info.num_classes;
}

void check_info(const EstimatorInfo& info) {
  if (info.num_classes < 2)
    throw OptionError(str("[estimator] num_classes: expected ≥ 2, got ", info.num_classes));
  if (info.input_shape.size() != 3)
    throw OptionError(str("[estimator] input_shape: expected {channels, height, width}, got ",
                          info.input_shape.size(), " numbers"));
  if (info.units < 1) throw OptionError(str("[estimator] units: expected ≥ 1, got ", info.units));
}

TensorMap entries_under(const TensorMap& state, std::string_view prefix) {
  TensorMap out;
  for (const auto& [name, tensor] : state)
    if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), tensor);
  return out;
}

}  // namespace

Estimator::Estimator(const EstimatorInfo& info, std::uint64_t seed) {
  check_info(info);
  local_ = models::make_local_net(info.input_shape[0], info.units, derived_seed(seed, "mi/local"));
  global_ = models::make_global_net(info.layer, global_inputs(info), info.units,
                                    derived_seed(seed, "mi/global"));
}

at::Tensor Estimator::local_features(const at::Tensor& x, bool differentiable) const {
  return local_->forward(differentiable ? x : x.detach(), Layer::logits).flatten(2);
}

at::Tensor Estimator::global_vectors(const at::Tensor& output) const {
  return global_->forward(output, Layer::logits).flatten(1);
}

at::Tensor Estimator::loss(const at::Tensor& local_features, const at::Tensor& output,
                           DvMask mask) const {
  return donsker_varadhan_of_features(global_vectors(output), local_features, mask);
}

std::vector<at::Tensor> Estimator::parameters() const {
  auto all = local_->parameters();
  for (const auto& parameter : global_->parameters()) all.push_back(parameter);
  return all;
}

TensorMap Estimator::state_dict() const {
  TensorMap state;
  for (const auto& [name, tensor] : models::state_dict(*local_))
    state.emplace_back(str(kLocal, name), tensor);
  for (const auto& [name, tensor] : models::state_dict(*global_))
    state.emplace_back(str(kGlobal, name), tensor);
  return state;
}

void Estimator::load_state_dict(const TensorMap& state) const {
  for (const auto& [name, tensor] : state)
    if (!name.starts_with(kLocal) && !name.starts_with(kGlobal))
      throw DataError(
          str("estimator: unknown entry ", name, "; expected names in local.* and global.*"));
  models::load_state_dict(*local_, entries_under(state, kLocal));
  models::load_state_dict(*global_, entries_under(state, kGlobal));
}

void Estimator::train(bool on) const {
  local_->train(on);
  global_->train(on);
}

void Estimator::freeze() const {
  train(false);
  for (auto& parameter : parameters()) parameter.set_requires_grad(false);
}

bool Estimator::is_frozen() const {
  if (local_->is_training() || global_->is_training()) return false;
  const auto all = parameters();
  return std::none_of(all.begin(), all.end(), [](const auto& p) { return p.requires_grad(); });
}

void Estimator::to(const at::Device& device) const {
  local_->to(device);
  global_->to(device);
}

void Estimator::to(at::ScalarType type) const {
  for (const auto* net : {&local_, &global_}) {
    for (auto& parameter : (*net)->parameters()) parameter.set_data(parameter.detach().to(type));
    for (auto& buffer : (*net)->buffers())
      if (buffer.is_floating_point()) buffer.set_data(buffer.to(type));
  }
}

Estimator Estimator::clone() const {
  Estimator copy;
  if (!defined()) return copy;
  copy.local_ = models::deep_copy(*local_);
  copy.global_ = models::deep_copy(*global_);
  return copy;
}

std::int64_t layer_channels(const models::Classifier& target, Layer layer) {
  const auto& info = target.info();
  if (layer == Layer::logits) return info.num_classes;
  if (!target.has_layer(layer))
    throw OptionError(str("[estimator] layer: ", info.name, " has no layer '", to_string(layer),
                          "'; use logits, or a ResNet or WideResNet"));
  const at::NoGradGuard no_grad;
  const auto frozen = target.frozen_eval();
  auto shape = info.input_shape;
  shape.insert(shape.begin(), 1);
  return target(at::zeros(shape, at::TensorOptions(target.device())), layer).size(1);
}

EstimatorPair make_estimators(const EstimatorInfo& info, std::uint64_t seed) {
  EstimatorPair pair{Estimator(info, derived_seed(seed, "mi/natural")), {}, info};
  if (!info.has_one_pair())
    pair.adversarial = Estimator(info, derived_seed(seed, "mi/adversarial"));
  return pair;
}

}  // namespace namid::mi
