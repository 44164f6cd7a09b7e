// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/eight_bit.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace namid::eval {
namespace {

using attacks::Norm;

constexpr double kRoundingSlack = 1e-12;  // of sums in another order

/// The value of k as data sets give it: the quotient in float32.
double value_of(int k) {
  static const auto kValues = [] {
    std::array<double, 256> table{};
    for (int v = 0; v < 256; ++v)
      table[static_cast<std::size_t>(v)] = double{static_cast<float>(v) / 255.0F};
    return table;
  }();
  return kValues[static_cast<std::size_t>(k)];
}

int nearest(double value) {
  return static_cast<int>(std::lround(255 * std::clamp(value, 0.0, 1.0)));
}

/// The neighbour of k on x's side; k itself if it is as near to x as can be.
int towards(int k, double x) {
  const int next = std::clamp(value_of(k) < x ? k + 1 : k - 1, 0, 255);
  return std::abs(value_of(next) - x) < std::abs(value_of(k) - x) ? next : k;
}

/// One sample: `count` entries from x to x_adv.
struct Sample {
  const float* x;
  const float* x_adv;
  std::int64_t count;
  double from(std::int64_t i) const { return x[i]; }
  double to(std::int64_t i) const { return std::isfinite(x_adv[i]) ? x_adv[i] : x[i]; }
};

void round_in_linf(const Sample& sample, double allowed, std::uint8_t* out) {
  for (std::int64_t i = 0; i < sample.count; ++i) {
    const double x = sample.from(i);
    int k = nearest(sample.to(i));
    while (std::abs(value_of(k) - x) > allowed && towards(k, x) != k) k = towards(k, x);
    out[i] = static_cast<std::uint8_t>(k);
  }
}

/// In l0 no way back saves an entry but x's own value, to which rounding brings those near it.
void round_each(const Sample& sample, std::uint8_t* out) {
  for (std::int64_t i = 0; i < sample.count; ++i)
    out[i] = static_cast<std::uint8_t>(nearest(sample.to(i)));
}

/// An entry that rounding moved away from x, and what its way back is worth.
struct WayBack {
  std::int64_t entry;
  int k;
  double gain;  ///< of ‖· − x‖ₚᵖ
  double cost;  ///< in squared distance to x_adv
};

void round_in_ball(const Sample& sample, double power, double allowed, std::uint8_t* out) {
  const auto size = [power](double difference) { return std::pow(std::abs(difference), power); };
  double total = 0;
  std::vector<WayBack> ways;
  for (std::int64_t i = 0; i < sample.count; ++i) {
    const double x = sample.from(i), x_adv = sample.to(i);
    const int k = nearest(x_adv), back = towards(k, x);
    out[i] = static_cast<std::uint8_t>(k);
    const double here = size(value_of(k) - x);
    total += here;
    if (back == k || here <= size(x_adv - x)) continue;
    const double cost = std::pow(value_of(back) - x_adv, 2) - std::pow(value_of(k) - x_adv, 2);
    ways.push_back({i, back, here - size(value_of(back) - x), std::max(cost, 0.0)});
  }
  std::stable_sort(ways.begin(), ways.end(), [](const WayBack& a, const WayBack& b) {
    return a.gain * b.cost > b.gain * a.cost;
  });
  const double limit = std::pow(allowed, power) * (1 - kRoundingSlack);
  for (auto way = ways.begin(); way != ways.end() && total > limit; ++way) {
    out[way->entry] = static_cast<std::uint8_t>(way->k);
    total -= way->gain;
  }
}

}  // namespace

at::Tensor nearest_eight_bit(const at::Tensor& x, const at::Tensor& x_adv,
                             const attacks::Budget& budget) {
  const auto from = x.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto to = x_adv.detach().to(at::kCPU, at::kFloat).contiguous();
  auto pixels = at::empty(from.sizes(), at::kByte);
  const auto samples = from.size(0);
  const auto width = samples ? from.numel() / samples : 0;
  const double allowed = allowed_norm(budget);
  for (std::int64_t i = 0; i < samples; ++i) {
    const Sample sample{from.data_ptr<float>() + i * width, to.data_ptr<float>() + i * width,
                        width};
    auto* out = pixels.data_ptr<std::uint8_t>() + i * width;
    switch (budget.norm) {
      case Norm::linf:
        round_in_linf(sample, allowed, out);
        break;
      case Norm::l2:
        round_in_ball(sample, 2, allowed, out);
        break;
      case Norm::l1:
        round_in_ball(sample, 1, allowed, out);
        break;
      case Norm::l0:
        round_each(sample, out);
        break;
      case Norm::wasserstein:
      case Norm::none:
        round_in_linf(sample, 1, out);
        break;
    }
  }
  return pixels;
}

std::vector<Verdict> verify_with_eight_bit(const models::Classifier& model, const at::Tensor& x,
                                           const Claimed& claimed, const at::Tensor& y,
                                           const attacks::Budget& budget, int draws) {
  auto verdicts = verify(model, x, claimed, y, budget, draws);
  const auto pixels = nearest_eight_bit(x, claimed.x_adv, budget).to(x.device()).to(at::kFloat);
  const auto images = pixels / at::full({1}, 255.0, pixels.options());  // as data::make_batch
  const auto rounded = verify(model, x, {images, claimed.plan}, y, budget, draws);
  for (std::size_t i = 0; i < verdicts.size(); ++i)
    verdicts[i].eight_bit = {.inside = rounded[i].finite && rounded[i].in_ball && rounded[i].in_box,
                             .prediction = rounded[i].reading.prediction,
                             .misclassified = rounded[i].misclassified};
  return verdicts;
}

}  // namespace namid::eval
