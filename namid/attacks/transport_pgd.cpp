// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transport_pgd.h"

namespace namid::attacks {

AttackResult transport_pgd(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                           const TransportPgdOptions& options, const Context& context) {
  constexpr std::string_view kWhere = "transport-pgd";
  validate(options, kWhere);
  const auto next = [&](const TransportBall& ball, const at::Tensor& plan,
                        const at::Tensor& gradient, int) {
    return dual_projection(plan + gradient * options.step_size, ball.x, ball.costs, ball.limit,
                           options.projection);
  };
  return climb_plans(model, x, y, plan_form(kWhere, options, next), context);
}

}  // namespace namid::attacks
