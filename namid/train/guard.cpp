// SPDX-License-Identifier: Apache-2.0
#include "namid/train/guard.h"

#include <cmath>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::train {
namespace {

std::string place(const Position& position) {
  return str("step ", position.step, " (epoch ", position.epoch, "): ");
}

bool is_finite(const at::Tensor& tensor) {
  return !tensor.is_floating_point() || at::isfinite(tensor).all().item<bool>();
}

std::string first_not_finite(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors)
    if (tensor.defined() && !is_finite(tensor.detach())) return name;
  return {};
}

TensorMap gradients(const TensorMap& parameters) {
  TensorMap found;
  for (const auto& [name, parameter] : parameters)
    if (parameter.grad().defined()) found.emplace_back(name, parameter.grad().detach());
  return found;
}

[[noreturn]] void fail(const std::string& text, const TensorMap& parameters,
                       const Position& position) {
  const auto weight = first_not_finite(parameters);
  throw NumericError(str(place(position), text,
                         weight.empty() ? "; all weights are still finite"
                                        : str("; weight ", weight, " is not finite either")));
}

/// Losses, then the joint norm of the gradients, as one small tensor on the CPU.
at::Tensor numbers(const TensorMap& losses, const TensorMap& grads) {
  std::vector<at::Tensor> parts;
  for (const auto& [name, loss] : losses) parts.push_back(loss.detach().to(at::kFloat));
  std::vector<at::Tensor> each;
  for (const auto& [name, grad] : grads) each.push_back(grad);
  parts.push_back(each.empty() ? at::zeros({}, parts.front().options())
                               : at::stack(at::_foreach_norm(each)).norm().to(at::kFloat));
  return at::stack(parts).to(at::kCPU, at::kDouble);
}

}  // namespace

double check_and_clip(const TensorMap& losses, const TensorMap& parameters, double clip,
                      const Position& position) {
  const auto grads = gradients(parameters);
  const auto values = numbers(losses, grads);
  const auto* value = values.const_data_ptr<double>();
  for (const auto& [name, loss] : losses) {
    if (!std::isfinite(*value))
      fail(str(name, ": expected a finite number, got ", *value), parameters, position);
    ++value;
  }
  const double norm = *value;
  if (!std::isfinite(norm)) {
    const auto name = first_not_finite(grads);
    fail(name.empty() ? "the norm of the gradients overflows"
                      : str("the gradient of ", name, " is not finite"),
         parameters, position);
  }
  if (clip > 0 && norm > clip)
    for (const auto& [name, grad] : grads) grad.mul_(clip / (norm + 1e-6));
  return norm;
}

void check_finite(const TensorMap& tensors, const std::string& what, const Position& position) {
  const auto name = first_not_finite(tensors);
  if (!name.empty()) throw NumericError(str(place(position), what, " ", name, " is not finite"));
}

}  // namespace namid::train
