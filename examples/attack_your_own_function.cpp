// SPDX-License-Identifier: Apache-2.0
//
// Attacks a function that is no built-in network: a linear classifier of 4 numbers. For L-inf the
// best perturbation is epsilon times the sign of the weight difference, so the answer can be
// checked.
#include <torch/types.h>

#include <cstdio>

#include "namid/namid.h"

int main() {
  const auto weight = torch::tensor({{1.0f, -2.0f, 0.5f, 0.0f}, {-1.0f, 1.0f, 0.5f, 0.25f}});
  const namid::models::Classifier model(
      [&](const at::Tensor& x) { return at::matmul(x, weight.t()); },
      {.name = "linear", .num_classes = 2, .input_shape = {4}});

  const auto x = torch::full({1, 4}, 0.5f);
  const auto y = model(x).argmax(1);
  const auto result =
      namid::attacks::pgd(model, x, y, {.budget = {.epsilon = 0.1}, .steps = 20, .start = {}});

  const auto direction = (weight[1 - y.item<int64_t>()] - weight[y.item<int64_t>()]).sign();
  const auto best = x + 0.1f * direction;
  const bool optimal = at::allclose(result.x_adv * direction.abs(), best * direction.abs());
  std::printf("fooled: %s, optimal: %s, gradient steps: %lld\n",
              result.success.item<bool>() ? "yes" : "no", optimal ? "yes" : "no",
              static_cast<long long>(result.passes.backwards));
  return optimal ? 0 : 1;
}
