// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/precision.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/eval/compute_batch.h"
#include "namid/models/bfloat16.h"

namespace namid::eval {
namespace {

constexpr int kRepetitions = 5;

/// A forward and an input gradient, waited for.
void forward_and_gradient(const models::Classifier& model, const data::Batch& batch) {
  const c10::AutoGradMode with_graph(true);
  const auto x = batch.x.detach().requires_grad_(true);
  const auto loss = at::cross_entropy_loss(model(x), batch.y, {}, at::Reduction::Sum);
  const auto gradient = torch::autograd::grad({loss}, {x}, {}, std::nullopt, false, true).front();
  (void)(gradient.defined() ? gradient : loss).sum().item<float>();  // a GPU is waited for here
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

PrecisionTimes measure(const std::function<void()>& float32, const std::function<void()>& bfloat16,
                       const Stopwatch& stopwatch) {
  float32();
  bfloat16();
  std::vector<double> own, lowered;
  for (int i = 0; i < kRepetitions; ++i) {
    own.push_back(stopwatch(Precision::float32, float32));
    lowered.push_back(stopwatch(Precision::bfloat16, bfloat16));
  }
  return {.float32_ms = median_of(std::move(own)), .bfloat16_ms = median_of(std::move(lowered))};
}

double largest_difference(const models::Classifier& model, const models::Classifier& lowered,
                          const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  const auto gap = (lowered(x).to(at::kDouble) - model(x).to(at::kDouble)).abs().max();
  const auto difference = gap.item<double>();
  if (!std::isfinite(difference))
    throw NumericError(str("[precision] model '", model.info().name,
                           "': expected finite logits of the first batch in float32 and in "
                           "bfloat16; look at the images, or give --precision float32"));
  return difference;
}

}  // namespace

double wall_clock(Precision, const std::function<void()>& pass) {
  const auto start = std::chrono::steady_clock::now();
  pass();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double near_boundary(double difference) {
  return difference > 0 ? std::exp2(std::ceil(std::log2(8 * difference))) : 0;
}

PrecisionTaken take_precision(Precision asked, const PrecisionBench& bench,
                              const Stopwatch& stopwatch) {
  PrecisionTaken taken{.asked = asked};
  if (asked == Precision::float32) return taken;
  const auto lowered = models::in_bfloat16(bench.model);
  const auto eval_mode = bench.model.frozen_eval();
  auto rows = rows_by_id(bench.dataset);
  rows.resize(static_cast<std::size_t>(std::min(bench.dataset.size(), bench.compute_batch)));
  const auto batch = padded_batch(bench.dataset, rows, bench.compute_batch, bench.model.device());
  taken.difference = largest_difference(bench.model, lowered, batch.x);
  taken.near = near_boundary(taken.difference);
  taken.bfloat16 = true;
  if (asked == Precision::bfloat16) return taken;
  taken.times = measure([&] { forward_and_gradient(bench.float32, batch); },
                        [&] { forward_and_gradient(lowered, batch); }, stopwatch);
  taken.bfloat16 = taken.times->bfloat16_ms < taken.times->float32_ms;
  return taken;
}

nlohmann::json to_json(const PrecisionTaken& taken) {
  nlohmann::json record = {{"asked", to_string(taken.asked)},
                           {"taken", taken.bfloat16 ? "bfloat16" : "float32"}};
  if (taken.asked == Precision::float32) return record;
  record["largest_difference"] = taken.difference;
  record["near"] = taken.near;
  if (!taken.times) return record;
  record["float32_ms"] = taken.times->float32_ms;
  record["bfloat16_ms"] = taken.times->bfloat16_ms;
  return record;
}

PrecisionTaken precision_taken(const nlohmann::json& record) {
  try {
    PrecisionTaken taken{
        .asked = namid::detail::parse_value<Precision>(record.at("asked").get<std::string>()),
        .bfloat16 = record.at("taken") == "bfloat16",
        .difference = record.value("largest_difference", 0.0),
        .near = record.value("near", 0.0)};
    if (record.contains("float32_ms"))
      taken.times = {record.at("float32_ms"), record.at("bfloat16_ms")};
    return taken;
  } catch (const std::exception& error) {
    throw DataError(str("run.json: precision: expected what an earlier part of the run decided, ",
                        "got ", record.dump(), " (", error.what(), ")"));
  }
}

}  // namespace namid::eval
