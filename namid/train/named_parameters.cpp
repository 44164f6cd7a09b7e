// SPDX-License-Identifier: Apache-2.0
#include "namid/train/named_parameters.h"

#include <algorithm>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::train {

TensorMap named_parameters(const TensorMap& state, const std::vector<at::Tensor>& parameters) {
  TensorMap named;
  for (const auto& parameter : parameters) {
    const auto entry = std::find_if(state.begin(), state.end(), [&](const auto& candidate) {
      return candidate.second.data_ptr() == parameter.data_ptr();
    });
    if (entry == state.end())
      throw OptionError(str("[train] model: parameter ", named.size(),
                            " is not in its state dict, so that training could not be saved"));
    named.emplace_back(entry->first, parameter);
  }
  return named;
}

TensorMap with_prefix(const std::string& prefix, const TensorMap& tensors) {
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) renamed.emplace_back(prefix + name, tensor);
  return renamed;
}

TensorMap without_prefix(const std::string& prefix, const TensorMap& tensors) {
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) renamed.emplace_back(name.substr(prefix.size()), tensor);
  return renamed;
}

}  // namespace namid::train
