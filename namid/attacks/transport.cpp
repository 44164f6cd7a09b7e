// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transport.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "namid/attacks/norms.h"
#include "namid/attacks/transport_rows.h"
#include "namid/core/tensor_parallel.h"

namespace namid::attacks {
namespace {

/// Where the k-th neighbour lies.
std::pair<std::int64_t, std::int64_t> offset(std::int64_t k, int kernel) {
  const auto back = kernel / 2;
  return {k / kernel - back, k % kernel - back};
}

at::Tensor largest(const at::Tensor& rows) {
  return sample_norms(rows, Norm::linf);
}

/// Whether tensors like this are summed and gathered by loops of our own.
bool looped(const at::Tensor& values) {
  return values.is_cpu() &&
         (values.scalar_type() == at::kFloat || values.scalar_type() == at::kDouble);
}

/// visit(from, to, count) for the runs of one row of `width` places of which place w goes to
/// (w + right) mod width.
template <class Visit>
void turned(std::int64_t width, std::int64_t right, const Visit& visit) {
  const auto shift = ((right % width) + width) % width;
  visit(std::int64_t{0}, shift, width - shift);
  visit(width - shift, std::int64_t{0}, shift);
}

/// visit(move k, place of the row's first pixel, place of the first pixel of the row it goes to,
/// steps to the right) for all moves of all rows of an image.
template <class Visit>
void all_moves(const at::Tensor& image, int kernel, const Visit& visit) {
  const auto rows = image.size(2), columns = image.size(3);
  for (std::int64_t k = 0; k < kernel * kernel; ++k) {
    const auto [down, right] = offset(k, kernel);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto target = (((row + down) % rows) + rows) % rows;
      visit(k, row * columns, target * columns, right);
    }
  }
}

template <class Number>
void add_planes(const at::Tensor& planes, const at::Tensor& image, int kernel) {
  const auto pixels = image.size(2) * image.size(3), columns = image.size(3);
  const auto* all_from = planes.const_data_ptr<Number>();
  auto* all_to = image.data_ptr<Number>();
  parallel_for(0, image.size(0) * image.size(1), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> sums(static_cast<std::size_t>(pixels));
    for (auto i = begin; i < end; ++i) {
      std::fill(sums.begin(), sums.end(), 0.0);
      all_moves(image, kernel,
                [&](std::int64_t k, std::int64_t row, std::int64_t target, std::int64_t right) {
                  const auto* from = all_from + (i * kernel * kernel + k) * pixels + row;
                  auto* to = sums.data() + target;
                  turned(columns, right,
                         [&](std::int64_t first, std::int64_t place, std::int64_t count) {
                           for (std::int64_t w = 0; w < count; ++w)
                             to[place + w] += from[first + w];
                         });
                });
      std::copy(sums.begin(), sums.end(), all_to + i * pixels);
    }
  });
}

template <class Number>
void copy_planes(const at::Tensor& image, const at::Tensor& planes, int kernel) {
  const auto pixels = image.size(2) * image.size(3), columns = image.size(3);
  const auto* all_from = image.const_data_ptr<Number>();
  auto* all_to = planes.data_ptr<Number>();
  parallel_for(0, image.size(0) * image.size(1), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i)
      all_moves(image, kernel,
                [&](std::int64_t k, std::int64_t row, std::int64_t target, std::int64_t right) {
                  const auto* from = all_from + i * pixels + target;
                  auto* to = all_to + (i * kernel * kernel + k) * pixels + row;
                  turned(columns, right,
                         [&](std::int64_t first, std::int64_t place, std::int64_t count) {
                           std::copy_n(from + place, count, to + first);
                         });
                });
  });
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

at::Tensor multiplier_of(const PackedRows& rows, const at::Tensor& high, const at::Tensor& budget,
                         const Bisection& bisection) {
  return bisect(high, bisection,
                [&](const at::Tensor& lambda) { return rows.cost(lambda) - budget; });
}

std::vector<std::int64_t> planes_of(const at::Tensor& image, int kernel) {
  auto shape = image.sizes().vec();
  shape.insert(shape.begin() + 2, kernel * kernel);
  return shape;
}

at::Tensor as_rows(const at::Tensor& values, const at::Tensor& batch) {
  return per_sample(values, batch).to(batch.scalar_type());
}

}  // namespace

at::Tensor move_costs(std::int64_t rows, std::int64_t columns, int kernel) {
  auto costs = at::full({kernel * kernel, rows, columns}, kOutside).movedim(0, 2);
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
  const auto planes = at::zeros(planes_of(x, kernel), x.options());
  auto plan = planes.movedim(2, 4);
  plan.select(-1, place_of_rest(kernel)).copy_(x);
  return plan;
}

at::Tensor arrived(const at::Tensor& plan, int kernel) {
  if (looped(plan)) {
    const auto planes = plan.movedim(4, 2).contiguous();
    const auto image = at::zeros(plan.sizes().slice(0, 4), plan.options());
    if (plan.scalar_type() == at::kFloat)
      add_planes<float>(planes, image, kernel);
    else
      add_planes<double>(planes, image, kernel);
    return image;
  }
  auto image = at::zeros_like(plan.select(-1, 0));
  for (std::int64_t k = 0; k < kernel * kernel; ++k) {
    const auto [down, right] = offset(k, kernel);
    image.add_(plan.select(-1, k).roll({down, right}, {2, 3}));
  }
  return image;
}

at::Tensor gathered(const at::Tensor& gradient, int kernel) {
  if (looped(gradient)) {
    const auto image = gradient.contiguous();
    const auto planes = at::empty(planes_of(image, kernel), image.options());
    if (image.scalar_type() == at::kFloat)
      copy_planes<float>(image, planes, kernel);
    else
      copy_planes<double>(image, planes, kernel);
    return planes.movedim(2, 4);
  }
  std::vector<at::Tensor> parts;
  for (std::int64_t k = 0; k < kernel * kernel; ++k) {
    const auto [down, right] = offset(k, kernel);
    parts.push_back(gradient.roll({-down, -right}, {2, 3}));
  }
  return at::stack(parts, -1);
}

at::Tensor transport_cost(const at::Tensor& plan, const at::Tensor& costs) {
  if (PackedRows::take(plan) && costs.scalar_type() == at::kFloat)
    return cost_by_images(plan, costs);
  return (plan * costs).sum(sample_dims(plan), false, at::kDouble);
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
  if (PackedRows::take(plan)) return PackedRows(plan, x, costs, 0).plan(lambda);
  return simplex_projection(plan - costs * as_rows(lambda, plan), x);
}

at::Tensor dual_multiplier(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, const Bisection& bisection) {
  const auto high = largest(plan) * 2 + largest(x);
  if (PackedRows::take(plan))
    return multiplier_of(PackedRows(plan, x, costs, 0), high, budget, bisection);
  return bisect(high, bisection, [&](const at::Tensor& lambda) {
    return transport_cost(plan_at(lambda, plan, x, costs), costs) - budget;
  });
}

at::Tensor dual_projection(const at::Tensor& plan, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, const Bisection& bisection) {
  if (PackedRows::take(plan)) {
    const PackedRows rows(plan, x, costs, 0);
    return rows.plan(multiplier_of(rows, largest(plan) * 2 + largest(x), budget, bisection));
  }
  return plan_at(dual_multiplier(plan, x, costs, budget, bisection), plan, x, costs);
}

at::Tensor entropic_oracle(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& costs,
                           const at::Tensor& budget, double gamma, const Bisection& bisection) {
  const auto inside = costs < kOutside;
  const auto reach =
      (x * at::where(inside, costs, 0).sum(-1, false, at::kDouble)).flatten(1).sum(1);
  const auto high =
      (largest(gradient) * 2 + (reach / budget.clamp_min(1e-30)).clamp_min(1e-30).log() * gamma)
          .clamp_min(0);
  if (PackedRows::take(gradient)) {
    const PackedRows rows(gradient, x, costs, gamma);
    return rows.plan(multiplier_of(rows, high, budget, bisection));
  }
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
