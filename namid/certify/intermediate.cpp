// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/intermediate.h"

#include <ATen/Functions.h>

#include "namid/certify/layer_map.h"

namespace namid::certify {
namespace {

/// Tensors as wide as the widest layer that one row needs at a time, about.
constexpr std::int64_t kTensorsPerRow = 8;

Bounds interval_through(const Layer& layer, const std::vector<Bounds>& bounds) {
  const auto& in = bounds[layer.inputs[0]];
  if (layer.affine()) {
    const auto centre = apply(layer, (in.lower + in.upper) / 2);
    const auto radius = apply(layer, (in.upper - in.lower) / 2, layer.weight.abs());
    return {centre - radius, centre + radius};
  }
  if (layer.kind == LayerKind::relu) return {in.lower.clamp_min(0), in.upper.clamp_min(0)};
  const auto& other = bounds[layer.inputs[1]];
  return {in.lower + other.lower, in.upper + other.upper};
}

/// Layers between the images and each layer that mix neurons; none behind a ReLU is less than 2.
std::vector<int> mixing_depths(const AffineNetwork& network) {
  std::vector<int> depths;
  for (const auto& layer : network.layers) {
    int depth = 0;
    for (const auto input : layer.inputs) depth = std::max(depth, depths[input]);
    if (layer.kind == LayerKind::relu) depth = 2;
    const bool mixes = layer.kind != LayerKind::input && layer.kind != LayerKind::scale &&
                       layer.kind != LayerKind::relu;
    depths.push_back(depth + mixes);
  }
  return depths;
}

std::vector<bool> read_by_relu(const AffineNetwork& network) {
  std::vector<bool> read(network.layers.size());
  for (const auto& layer : network.layers)
    if (layer.kind == LayerKind::relu) read[layer.inputs[0]] = true;
  return read;
}

/// Rows that are single neurons of the layer: `places` (P, 2) of (sample, neuron).
Rows neuron_rows(const Layer& layer, const at::Tensor& places, const at::TensorOptions& type) {
  auto shape = layer.shape;
  shape.insert(shape.begin(), places.size(0));
  auto lambda = at::zeros({places.size(0), c10::multiply_integers(layer.shape)}, type);
  lambda.scatter_(1, places.slice(1, 1, 2), 1.0);
  return {lambda.view(shape), places.select(1, 0)};
}

class Intermediate {
 public:
  Intermediate(const Problem& problem, Slopes slopes, const IntermediateOptions& options)
      : problem_(problem), slopes_(slopes), options_(options) {}

  Known compute() {
    const auto& layers = problem_.network.layers;
    const auto wanted = read_by_relu(problem_.network);
    const auto mixing = mixing_depths(problem_.network);
    const bool box = problem_.set.budget.norm == attacks::Norm::linf;
    known_.bounds.push_back({problem_.set.lower, problem_.set.upper});
    known_.relaxations.resize(layers.size());
    for (std::size_t i = 1; i + 1 < layers.size(); ++i) {
      known_.bounds.push_back(interval_through(layers[i], known_.bounds));
      if (layers[i].kind == LayerKind::relu)
        known_.relaxations[i] = relax(known_.bounds[layers[i].inputs[0]], slopes_);
      if (!wanted[i]) continue;
      widen(i);
      if (slopes_ != Slopes::constant && !(box && mixing[i] <= 1)) refine(i);
    }
    return std::move(known_);
  }

 private:
  void widen(std::size_t i) {
    const auto margin = problem_.rounding.margin(i);
    known_.bounds[i] = {known_.bounds[i].lower - margin, known_.bounds[i].upper + margin};
  }

  void refine(std::size_t i) {
    const auto& layer = problem_.network.layers[i];
    auto& bounds = known_.bounds[i];
    const auto mask = unstable(bounds).flatten(1);
    const auto places = options_.intersect ? mask.nonzero() : at::ones_like(mask).nonzero();
    auto lower = bounds.lower.flatten(1).clone(), upper = bounds.upper.flatten(1).clone();
    const auto margin = problem_.rounding.margin(i).flatten(1);
    for (const auto& some : places.split(rows_within(problem_.network, options_.block_bytes))) {
      if (some.size(0) == 0) continue;
      auto rows = neuron_rows(layer, some, lower.options());
      const auto low = lower_bound(problem_.network, i, rows, known_.relaxations, problem_.set);
      rows.lambda = rows.lambda.neg();
      const auto high = lower_bound(problem_.network, i, rows, known_.relaxations, problem_.set);
      const c10::List<std::optional<at::Tensor>> at_places{some.select(1, 0), some.select(1, 1)};
      const auto slack = margin.index(at_places);
      auto new_lower = low - slack, new_upper = -high + slack;
      if (options_.intersect) {
        new_lower = at::maximum(new_lower, lower.index(at_places));
        new_upper = at::minimum(new_upper, upper.index(at_places));
      }
      lower.index_put_(at_places, new_lower);
      upper.index_put_(at_places, new_upper);
    }
    bounds = {lower.view_as(bounds.lower), upper.view_as(bounds.upper)};
  }

  const Problem& problem_;
  Slopes slopes_;
  const IntermediateOptions& options_;
  Known known_;
};

}  // namespace

std::int64_t rows_within(const AffineNetwork& network, std::int64_t bytes) {
  std::int64_t widest = 1;
  for (const auto& layer : network.layers)
    widest = std::max(widest, c10::multiply_integers(layer.shape));
  return std::max<std::int64_t>(1, bytes / (8 * kTensorsPerRow * widest));
}

Known intermediate_bounds(const Problem& problem, Slopes slopes,
                          const IntermediateOptions& options) {
  const at::NoGradGuard no_grad;
  return Intermediate(problem, slopes, options).compute();
}

at::Tensor bound_rows(const Problem& problem, const Rows& rows, const Relaxations& relaxations,
                      std::int64_t block_bytes) {
  const at::NoGradGuard no_grad;
  const auto last = problem.network.layers.size() - 1;
  const auto together = rows_within(problem.network, block_bytes);
  std::vector<at::Tensor> bounds;
  for (std::int64_t start = 0; start < rows.size(); start += together) {
    const Rows some{rows.lambda.slice(0, start, start + together),
                    rows.sample.slice(0, start, start + together)};
    bounds.push_back(lower_bound(problem.network, last, some, relaxations, problem.set));
  }
  return bounds.empty() ? at::empty(0, rows.lambda.options()) : at::cat(bounds);
}

}  // namespace namid::certify
