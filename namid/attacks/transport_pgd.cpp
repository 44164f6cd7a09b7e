// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transport_pgd.h"

#include "namid/attacks/checks.h"

namespace namid::attacks {

TransportResult transport_pgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                              const TransportPgdOptions& options, const Context& context) {
  constexpr std::string_view kWhere = "transport-pgd";
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
                          [&](const at::Tensor& plan, const at::Tensor& gradient, int) {
                            return dual_projection(plan + gradient * options.step_size, x, costs,
                                                   budget, options.projection);
                          }},
                     context);
}

}  // namespace namid::attacks
