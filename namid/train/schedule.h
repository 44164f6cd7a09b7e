// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace namid::train {

/// Learning rate of `epoch` (from 1): lr · gamma^m, m the number of milestones ≤ epoch. The paper's
/// {75, 90} lower it for epochs 75 and 90 themselves; PyTorch's MultiStepLR with {10, 20}, stepped
/// after each epoch, is {11, 21} here. Milestones may come in any order; one named twice counts
/// twice.
double learning_rate(double lr, double gamma, const std::vector<int>& milestones, int epoch);

}  // namespace namid::train
