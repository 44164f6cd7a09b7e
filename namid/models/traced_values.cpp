// SPDX-License-Identifier: Apache-2.0
#include "namid/models/traced_values.h"

#include <ATen/Functions.h>

#include <string_view>

#include "namid/core/error.h"

namespace namid::models {

using torch::jit::Value;

std::vector<std::int64_t> sizes_of(const Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto sizes = type ? type->sizes().concrete_sizes() : std::nullopt;
  if (!sizes) throw OptionError("[model] graph: a value of unknown shape");
  return *sizes;
}

std::int64_t numel_of(const Value* value) {
  return c10::multiply_integers(sizes_of(value));
}

std::array<std::int64_t, 2> pair_of(const Value* value) {
  std::vector<std::int64_t> numbers;
  if (const auto known = torch::jit::toIValue(value)) {
    if (known->isIntList()) numbers = known->toIntVector();
  } else if (value->node()->kind() == c10::prim::ListConstruct) {
    for (const auto* entry : value->node()->inputs())
      if (const auto number = torch::jit::toIValue(entry)) numbers.push_back(number->toInt());
  }
  if (numbers.size() == 1) numbers.push_back(numbers[0]);
  if (numbers.size() != 2) throw OptionError("[model] graph: expected a pair of sizes");
  return {numbers[0], numbers[1]};
}

bool truth_of(const Value* value) {
  const auto known = torch::jit::toIValue(value);
  return known && known->isBool() && known->toBool();
}

std::optional<at::Tensor> constant_of(const Value* value) {
  if (const auto known = torch::jit::toIValue(value)) {
    if (known->isTensor()) return known->toTensor();
    if (known->isDouble()) return at::scalar_tensor(known->toDouble(), at::kDouble);
    if (known->isInt()) return at::scalar_tensor(static_cast<double>(known->toInt()), at::kDouble);
    return {};
  }
  const auto* call = value->node();
  const std::string_view kind = call->kind().toUnqualString();
  if (call->inputs().empty()) return {};
  const auto of = constant_of(call->input(0));
  if (!of) return {};
  if (kind == "t") return of->t();
  if (kind == "to" || kind == "_to_copy")
    return of->to(*value->type()->expect<c10::TensorType>()->scalarType());
  if (kind == "detach" || kind == "alias" || kind == "contiguous" || kind == "clone") return *of;
  if (kind == "view" || kind == "reshape" || kind == "unsqueeze")
    return of->reshape(sizes_of(value));
  if (kind == "transpose" || kind == "permute")
    return of->dim() == 2 && sizes_of(value) == of->t().sizes() ? std::optional(of->t())
                                                                : std::nullopt;
  return {};
}

}  // namespace namid::models
