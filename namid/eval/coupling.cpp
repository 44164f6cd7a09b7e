// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/coupling.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "namid/core/format.h"

namespace namid::eval {
namespace {

constexpr double kNegative = 1e-6, kMarginal = 1e-5;

struct Grid {
  std::int64_t channels = 0, rows = 0, columns = 0, kernel = 0;
  std::int64_t pixels() const { return rows * columns; }
  std::int64_t window() const { return kernel * kernel; }
};

/// Extremes and sums of one channel's plan.
struct Measured {
  double lowest = 0, lost = 0, cost = 0, row_error = 0;
  std::vector<double> columns;
};

/// !(a > b) would let NaN pass.
bool at_most(double value, double limit) {
  return value <= limit;
}

Measured measure_plan(const float* x, const float* plan, const Grid& grid) {
  Measured out{.columns = std::vector<double>(static_cast<std::size_t>(grid.pixels()))};
  const auto back = grid.kernel / 2;
  for (std::int64_t from = 0; from < grid.pixels(); ++from) {
    double sent = 0;
    for (std::int64_t k = 0; k < grid.window(); ++k) {
      const double amount = plan[from * grid.window() + k];
      const auto down = k / grid.kernel - back, right = k % grid.kernel - back;
      const auto row = from / grid.columns + down, column = from % grid.columns + right;
      sent += amount;
      if (!at_most(out.lowest, amount)) out.lowest = amount;
      if (row < 0 || row >= grid.rows || column < 0 || column >= grid.columns) {
        out.lost += std::abs(amount);
        continue;
      }
      out.columns[static_cast<std::size_t>(row * grid.columns + column)] += amount;
      out.cost +=
          std::abs(amount) * std::hypot(static_cast<double>(down), static_cast<double>(right));
    }
    const double error = std::abs(sent - double{x[from]});
    if (!at_most(error, out.row_error)) out.row_error = error;
  }
  return out;
}

std::string short_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

/// The first thing that is wrong with one channel.
std::string problem_of(const Measured& plan, const float* x, const float* x_adv, const Grid& grid) {
  if (!at_most(-plan.lowest, kNegative))
    return str("the plan has an entry of ", short_text(plan.lowest));
  if (!at_most(plan.lost, kNegative))
    return str("mass ", short_text(plan.lost), " leaves the image");
  if (!at_most(plan.row_error, kMarginal))
    return str("the plan's row sums miss x by ", short_text(plan.row_error));
  double mass = 0, mass_adv = 0;
  for (std::int64_t i = 0; i < grid.pixels(); ++i) {
    const double error = std::abs(plan.columns[static_cast<std::size_t>(i)] - double{x_adv[i]});
    if (!at_most(error, kMarginal))
      return str("the plan makes another image, a pixel differs by ", short_text(error));
    mass += x[i];
    mass_adv += x_adv[i];
  }
  if (!at_most(std::abs(mass_adv - mass), kMarginal * std::max(1.0, mass)))
    return str("a channel's mass changes by ", short_text(mass_adv - mass));
  return "";
}

Coupling check_plan(const float* x, const float* x_adv, const float* plan, const Grid& grid) {
  Coupling out;
  double cost = 0, mass = 0;
  for (std::int64_t c = 0; c < grid.channels; ++c) {
    const auto start = c * grid.pixels();
    const auto measured = measure_plan(x + start, plan + start * grid.window(), grid);
    if (out.problem.empty()) out.problem = problem_of(measured, x + start, x_adv + start, grid);
    cost += measured.cost;
    for (std::int64_t i = 0; i < grid.pixels(); ++i) mass += x[start + i];
  }
  out.mean_cost = cost == 0 ? 0 : cost / mass;
  return out;
}

/// Of all plans at once, empty if they can be looked at.
std::string wrong_shape(const at::Tensor& x, const at::Tensor& plan, std::int64_t kernel) {
  if (!plan.defined()) return "no plan was given";
  if (x.dim() != 4) return str("samples of shape ", c10::str(x.sizes()), " are no images");
  auto shape = x.sizes().vec();
  shape.push_back(kernel * kernel);
  if (plan.sizes() == at::IntArrayRef(shape)) return "";
  return str("the plan has shape ", c10::str(plan.sizes()), ", expected ", c10::str(x.sizes()),
             " and K² moves");
}

std::int64_t side_of(const at::Tensor& plan) {
  return plan.defined() && plan.dim() == 5
             ? std::llround(std::sqrt(static_cast<double>(plan.size(4))))
             : 0;
}

}  // namespace

std::vector<Coupling> check_couplings(const at::Tensor& x, const at::Tensor& x_adv,
                                      const at::Tensor& plan) {
  const auto kernel = side_of(plan);
  const auto count = static_cast<std::size_t>(x.size(0));
  if (const auto problem = wrong_shape(x, plan, kernel); !problem.empty())
    return std::vector<Coupling>(count, {.problem = problem});
  const auto on_cpu = [](const at::Tensor& values) {
    return values.detach().to(at::kCPU, at::kFloat).contiguous();
  };
  const auto from = on_cpu(x), to = on_cpu(x_adv), moves = on_cpu(plan);
  const Grid grid{x.size(1), x.size(2), x.size(3), kernel};
  const auto width = grid.channels * grid.pixels();
  std::vector<Coupling> couplings;
  for (std::size_t i = 0; i < count; ++i) {
    const auto start = static_cast<std::int64_t>(i) * width;
    couplings.push_back(check_plan(from.const_data_ptr<float>() + start,
                                   to.const_data_ptr<float>() + start,
                                   moves.const_data_ptr<float>() + start * grid.window(), grid));
  }
  return couplings;
}

}  // namespace namid::eval
