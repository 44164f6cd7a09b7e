// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/frank_wolfe.h"

#include "namid/attacks/checks.h"

namespace namid::attacks {

TransportResult frank_wolfe(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                            const FrankWolfeOptions& options, const Context& context) {
  constexpr std::string_view kWhere = "fwa";
  validate(options, kWhere);
  check_images(x, kWhere);
  const auto costs = move_costs(x.size(2), x.size(3), options.budget.kernel).to(x.device());
  const auto budget = mass_of(x) * options.budget.epsilon;
  return climb_plans(model, x, y,
                     {.where = kWhere,
                      .budget = options.budget,
                      .steps = options.steps,
                      .judge = options.judge,
                      .next =
                          [&](const at::Tensor& plan, const at::Tensor& gradient, int step) {
                            const auto vertex = entropic_oracle(gradient, x, costs, budget,
                                                                options.gamma, options.oracle);
                            return plan + (vertex - plan) * (2.0 / (step + 2));
                          }},
                     context);
}

}  // namespace namid::attacks
