// SPDX-License-Identifier: Apache-2.0
#include "namid/models/copy_state.h"

#include <unordered_map>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::models {
namespace {

std::string listed(const std::vector<std::string>& items) {
  constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, items.size()); ++i)
    out += (i ? ", " : "") + items[i];
  if (items.size() > kShown) out += str(" and ", items.size() - kShown, " more");
  return out;
}

std::string kind_text(const at::Tensor& tensor) {
  return str(shape_text(tensor.sizes()), " ", c10::toString(tensor.scalar_type()));
}

}  // namespace

std::string shape_text(at::IntArrayRef sizes) {
  std::string out = "(";
  for (std::size_t i = 0; i < sizes.size(); ++i) out += str(i ? ", " : "", sizes[i]);
  return out + ")";
}

void copy_state(const TensorMap& own, const TensorMap& state) {
  std::unordered_map<std::string, at::Tensor> given(state.begin(), state.end());
  std::vector<std::string> missing, unknown, unfit;
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    if (found == given.end()) {
      missing.push_back(name);
    } else if (tensor.sizes() != found->second.sizes() ||
               tensor.scalar_type() != found->second.scalar_type()) {
      unfit.push_back(
          str(name, ": expected ", kind_text(tensor), ", got ", kind_text(found->second)));
    }
  }
  std::unordered_map<std::string, at::Tensor> wanted(own.begin(), own.end());
  for (const auto& [name, tensor] : state)
    if (!wanted.contains(name)) unknown.push_back(name);

  std::string problems;
  if (!missing.empty()) problems += str("; missing: ", listed(missing));
  if (!unknown.empty()) problems += str("; unknown: ", listed(unknown));
  if (!unfit.empty()) problems += str("; unfit: ", listed(unfit));
  if (!problems.empty())
    throw DataError(str("state dict does not fit the model", problems,
                        ". Build the model with the name, width, classes and input shape it was "
                        "saved with"));
  const at::NoGradGuard no_grad;
  for (auto [name, tensor] : own) tensor.copy_(given[name]);
}

}  // namespace namid::models
