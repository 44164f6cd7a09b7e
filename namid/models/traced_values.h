// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace namid::models {

// What a trace knows of its values. OptionError for what it does not know.

/// Shape, the batch's axis included.
std::vector<std::int64_t> sizes_of(const torch::jit::Value* value);
std::int64_t numel_of(const torch::jit::Value* value);

/// Constant integers, a list of two or one for both directions.
std::array<std::int64_t, 2> pair_of(const torch::jit::Value* value);

/// Whether it is the constant true.
bool truth_of(const torch::jit::Value* value);

/// The tensor or number that a value is for every input: a constant, or one behind transposes,
/// casts and reshapes; an undefined tensor is a constant too. Nothing for what hangs on the input.
std::optional<at::Tensor> constant_of(const torch::jit::Value* value);

}  // namespace namid::models
