// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transport.h"

#include <cmath>
#include <functional>

#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

/// Where the k-th neighbour lies.
std::pair<std::int64_t, std::int64_t> offset(std::int64_t k, int kernel) {
  const auto back = kernel / 2;
  return {k / kernel - back, k % kernel - back};
}

at::Tensor largest(const at::Tensor& rows) {
  return std::get<0>(rows.abs().flatten(1).max(1)).to(at::kDouble);
}

/// The right ends of λ's intervals [0, high], float64 (N), after bisection: `excess` is the cost
/// beyond the budget of each sample at λ, and falls in λ.
at::Tensor bisect(at::Tensor high, const Bisection& bisection,
                  const std::function<at::Tensor(const at::Tensor& lambda)>& excess) {
  auto low = at::zeros_like(high);
  auto open = at::ones_like(high, at::kBool);
  for (int i = 0; i < bisection.iterations; ++i) {
    const auto middle = (low + high) / 2;
    const auto over = excess(middle);
    low = at::where(open & (over > 0), middle, low);
    high = at::where(open & (over <= 0), middle, high);
    const auto met = over.abs() < bisection.gradient_tolerance;
    const auto narrow = high - low < bisection.interval_tolerance;
    if (bisection.together) {
      if (met.all().item<bool>() || narrow.all().item<bool>()) break;
    } else {
      open = open & (met | narrow).logical_not();
      if (!open.any().item<bool>()) break;
    }
  }
  return high;
}

at::Tensor as_rows(const at::Tensor& values, const at::Tensor& batch) {
  return per_sample(values, batch).to(batch.scalar_type());
}

}  // namespace

at::Tensor move_costs(std::int64_t rows, std::int64_t columns, int kernel) {
  auto costs = at::full({rows, columns, kernel * kernel}, kOutside);
  for (std::int64_t k = 0; k < kernel * kernel; ++k) {
    const auto [down, right] = offset(k, kernel);
    const auto first = [](std::int64_t step) { return std::max<std::int64_t>(0, -step); };
    const auto count = [](std::int64_t size, std::int64_t step) { return size - std::abs(step); };
    if (count(rows, down) <= 0 || count(columns, right) <= 0) continue;
    costs.select(2, k)
        .narrow(0, first(down), count(rows, down))
        .narrow(1, first(right), count(columns, right))
        .fill_(std::hypot(static_cast<double>(down), static_cast<double>(right)));
  }
  return costs;
}

int kernel_of(const at::Tensor& plan) {
  return static_cast<int>(std::lround(std::sqrt(static_cast<double>(plan.size(-1)))));
}

at::Tensor plan_of_rest(const at::Tensor& x, int kernel) {
  auto shape = x.sizes().vec();
  shape.push_back(kernel * kernel);
  auto plan = at::zeros(shape, x.options());
  plan.select(-1, place_of_rest(kernel)).copy_(x);
  return plan;
}

at::Tensor arrived(const at::Tensor& plan, int kernel) {
  auto image = at::zeros_like(plan.select(-1, 0));
  for (std::int64_t k = 0; k < kernel * kernel; ++k) {
    const auto [down, right] = offset(k, kernel);
    image.add_(plan.select(-1, k).roll({down, right}, {2, 3}));
  }
  return image;
}

at::Tensor gathered(const at::Tensor& gradient, int kernel) {
  std::vector<at::Tensor> parts;
  for (std::int64_t k = 0; k < kernel * kernel; ++k) {
    const auto [down, right] = offset(k, kernel);
    parts.push_back(gradient.roll({-down, -right}, {2, 3}));
  }
  return at::stack(parts, -1);
}

at::Tensor transport_cost(const at::Tensor& plan, const at::Tensor& costs) {
  return (plan * costs).flatten(1).sum(1, false, at::kDouble);
}

at::Tensor mass_of(const at::Tensor& x) {
  return x.flatten(1).sum(1, false, at::kDouble);
}

at::Tensor simplex_projection(const at::Tensor& v, const at::Tensor& total) {
  const auto sorted = std::get<0>(v.sort(-1, true));
  const auto excess = sorted.cumsum(-1) - total.unsqueeze(-1);
  const auto rank = at::arange(1, v.size(-1) + 1, v.options());
  const auto support = (sorted * rank > excess).sum(-1, true).clamp_min(1);
  const auto threshold = excess.gather(-1, support - 1) / support;
  return (v - threshold).clamp_min(0);
}

at::Tensor plan_at(const at::Tensor& lambda, const at::Tensor& plan, const at::Tensor& x,
                   const at::Tensor& costs) {
  return simplex_projection(plan - costs * as_rows(lambda, plan), x);
}

at::Tensor dual_multiplier(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, const Bisection& bisection) {
  return bisect(largest(plan) * 2 + largest(x), bisection, [&](const at::Tensor& lambda) {
    return transport_cost(plan_at(lambda, plan, x, costs), costs) - budget;
  });
}

at::Tensor dual_projection(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, const Bisection& bisection) {
  return plan_at(dual_multiplier(plan, x, costs, budget, bisection), plan, x, costs);
}

at::Tensor entropic_oracle(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, double gamma, const Bisection& bisection) {
  const auto inside = costs < kOutside;
  const auto reach =
      (x.unsqueeze(-1) * at::where(inside, costs, 0)).flatten(1).sum(1, false, at::kDouble);
  const auto high =
      (largest(gradient) * 2 + (reach / budget.clamp_min(1e-30)).clamp_min(1e-30).log() * gamma)
          .clamp_min(0);
  const auto at_lambda = [&](const at::Tensor& lambda) {
    const auto score = (gradient - costs * as_rows(lambda, gradient)) / gamma;
    return at::softmax(score.masked_fill(inside.logical_not(), -INFINITY), -1) * x.unsqueeze(-1);
  };
  const auto lambda = bisect(high, bisection, [&](const at::Tensor& at) {
    return transport_cost(at_lambda(at), costs) - budget;
  });
  return at_lambda(lambda);
}

}  // namespace namid::attacks
