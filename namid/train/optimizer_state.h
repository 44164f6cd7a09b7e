// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include "namid/run/tensor_file.h"

namespace namid::train {

/// What an optimiser remembers, by parameter name: "<parameter>.momentum_buffer" for SGD,
/// "<parameter>.exp_avg", ".exp_avg_sq" and ".step" (int64) for Adam. A parameter that has not been
/// stepped yet has no entry. The tensors are shared with the optimiser.
TensorMap optimizer_state(const torch::optim::SGD& optimizer, const TensorMap& parameters);
TensorMap optimizer_state(const torch::optim::Adam& optimizer, const TensorMap& parameters);

/// Replaces what the optimiser remembers by copies of `state`. DataError for an entry of another
/// shape than its parameter, an incomplete one, and one that belongs to no parameter.
void load_optimizer_state(torch::optim::SGD& optimizer, const TensorMap& parameters,
                          const TensorMap& state);
void load_optimizer_state(torch::optim::Adam& optimizer, const TensorMap& parameters,
                          const TensorMap& state);

/// Sets the learning rate of every parameter group.
void set_learning_rate(torch::optim::Optimizer& optimizer, double lr);

}  // namespace namid::train
