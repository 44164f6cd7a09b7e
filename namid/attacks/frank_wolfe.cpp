// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/frank_wolfe.h"

namespace namid::attacks {

AttackResult frank_wolfe(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                         const FrankWolfeOptions& options, const Context& context) {
  constexpr std::string_view kWhere = "frank-wolfe";
  validate(options, kWhere);
  const auto next = [&](const TransportBall& ball, const at::Tensor& plan,
                        const at::Tensor& gradient, int step) {
    auto vertex =
        entropic_oracle(gradient, ball.x, ball.costs, ball.limit, options.gamma, options.oracle);
    return vertex.sub_(plan).mul_(2.0 / (step + 2)).add_(plan);
  };
  return climb_plans(model, x, y, plan_form(kWhere, options, next), context);
}

}  // namespace namid::attacks
