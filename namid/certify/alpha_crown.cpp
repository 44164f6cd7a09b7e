// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/alpha_crown.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace namid::certify {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8, kProgress = 1e-6;

/// The slopes of one ReLU layer for every row, and Adam's moments.
struct SlopeLayer {
  std::size_t layer = 0;
  at::Tensor free;  ///< bool (P, *shape): unstable, the others stay
  at::Tensor slopes, gradient, first, second;
};

/// A block of rows on its way up.
class Ascent {
 public:
  Ascent(const Problem& problem, Rows rows, const Known& known, const at::Tensor& enough)
      : problem_(problem), rows_(std::move(rows)), known_(known), enough_(enough) {
    const auto& layers = problem.network.layers;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (layers[i].kind != LayerKind::relu) continue;
      const auto of = [&](const at::Tensor& v) { return v.index_select(0, rows_.sample); };
      const auto slopes = of(known.relaxations[i].lower_slope);
      parts_.push_back({.layer = i,
                        .free = of(unstable(known.bounds[layers[i].inputs[0]])),
                        .slopes = slopes,
                        .first = at::zeros_like(slopes),
                        .second = at::zeros_like(slopes)});
    }
    best_ = at::full(rows_.size(), -INFINITY, rows_.lambda.options());
    stalled_ = at::zeros(rows_.size(), at::kLong);
    active_ = at::arange(rows_.size());
    result_ = best_.clone();
  }

  at::Tensor run(const AlphaCrownOptions& options) {
    for (int step = 0; step <= options.iterations && rows_.size() > 0; ++step) {
      evaluate();
      drop_finished(options.patience);
      if (rows_.size() == 0 || step == options.iterations) break;
      ascend(step, options.learning_rate * std::pow(options.decay, step));
    }
    result_.index_copy_(0, active_, best_);
    return result_;
  }

 private:
  /// Bounds of the rows at the present slopes, into best_; the gradients into the parts.
  void evaluate() {
    std::vector<at::Tensor> slopes(problem_.network.layers.size()), leaves;
    for (const auto& part : parts_) {
      leaves.push_back(part.slopes.detach().requires_grad_(true));
      slopes[part.layer] = leaves.back();
    }
    at::Tensor bounds;
    {
      const at::AutoGradMode with_gradients(true);
      bounds = lower_bound(problem_.network, problem_.network.layers.size() - 1, rows_,
                           known_.relaxations, problem_.set, slopes);
      if (bounds.requires_grad()) {
        const auto found = torch::autograd::grad({bounds.sum()}, leaves, {}, false, false, true);
        for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].gradient = found[i];
      }
    }
    bounds = bounds.detach();
    const auto gain = bounds - best_;
    const auto progress = gain > kProgress * bounds.abs().clamp_min(1e-3);
    stalled_ = at::where(progress, at::zeros_like(stalled_), stalled_ + 1);
    best_ = at::maximum(best_, bounds);
  }

  void drop_finished(int patience) {
    const auto go_on = (best_ <= enough_).logical_and(stalled_ <= patience);
    const auto kept = go_on.nonzero().squeeze(1);
    if (kept.size(0) == rows_.size()) return;
    result_.index_copy_(0, active_, best_);
    const auto keep = [&](at::Tensor& values) {
      if (values.defined()) values = values.index_select(0, kept);
    };
    for (auto* values : {&rows_.lambda, &rows_.sample, &enough_, &best_, &stalled_, &active_})
      keep(*values);
    for (auto& part : parts_)
      for (auto* values : {&part.free, &part.slopes, &part.gradient, &part.first, &part.second})
        keep(*values);
  }

  void ascend(int step, double rate) {
    const double bias1 = 1 - std::pow(kBeta1, step + 1), bias2 = 1 - std::pow(kBeta2, step + 1);
    for (auto& part : parts_) {
      if (!part.gradient.defined()) continue;
      part.first = kBeta1 * part.first + (1 - kBeta1) * part.gradient;
      part.second = kBeta2 * part.second + (1 - kBeta2) * part.gradient.square();
      const auto move = rate / bias1 * part.first / ((part.second / bias2).sqrt() + kTiny);
      part.slopes = at::where(part.free, (part.slopes + move).clamp(0, 1), part.slopes);
    }
  }

  const Problem& problem_;
  Rows rows_;
  const Known& known_;
  at::Tensor enough_;
  std::vector<SlopeLayer> parts_;
  at::Tensor best_, stalled_, active_, result_;
};

}  // namespace

at::Tensor alpha_crown(const Problem& problem, const Rows& rows, const Known& known,
                       const at::Tensor& enough, const AlphaCrownOptions& options,
                       std::int64_t block_bytes) {
  const at::NoGradGuard no_grad;
  // Slopes, moments and what autograd keeps: several times a plain pass, of every layer.
  const auto depth = static_cast<std::int64_t>(problem.network.layers.size());
  const auto together =
      rows_within(problem.network, block_bytes / std::max<std::int64_t>(1, depth));
  std::vector<at::Tensor> bounds;
  for (std::int64_t start = 0; start < rows.size(); start += together) {
    const auto some = [&](const at::Tensor& v) { return v.slice(0, start, start + together); };
    bounds.push_back(
        Ascent(problem, {some(rows.lambda), some(rows.sample)}, known, some(enough)).run(options));
  }
  return bounds.empty() ? at::empty(0, rows.lambda.options()) : at::cat(bounds);
}

}  // namespace namid::certify
