// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/self_test.h"

#include <nlohmann/json.hpp>

#include "namid/eval/compute_batch.h"

namespace namid::eval {
namespace {

struct Point {
  at::Tensor logits, gradient;  ///< (N, ...)

  Point slots(const at::Tensor& rows) const {
    return {logits.index_select(0, rows), gradient.index_select(0, rows)};
  }
};

Point pass(const models::Classifier& model, const data::Batch& batch) {
  const c10::AutoGradMode with_graph(true);
  const auto x = batch.x.detach().requires_grad_(true);
  const auto logits = model(x).to(at::kFloat);
  const auto loss = at::cross_entropy_loss(logits, batch.y, {}, at::Reduction::Sum);
  auto gradient = torch::autograd::grad({loss}, {x}, {}, std::nullopt, false, true).front();
  if (!gradient.defined()) gradient = at::zeros_like(x);
  return {logits.detach(), gradient};
}

/// Compares bit for bit; NaN equals NaN.
bool same(const Point& a, const Point& b, double& largest) {
  const auto difference = [&](const at::Tensor& u, const at::Tensor& v) {
    if (u.numel() == 0) return;
    const auto gap = (u.to(at::kDouble) - v.to(at::kDouble)).abs();
    largest = std::max(largest, at::nan_to_num(gap).max().item<double>());
  };
  difference(a.logits, b.logits);
  difference(a.gradient, b.gradient);
  const auto bits = [](const at::Tensor& t) { return t.contiguous().view(at::kInt); };
  return at::equal(bits(a.logits), bits(b.logits)) && at::equal(bits(a.gradient), bits(b.gradient));
}

}  // namespace

SelfTest self_test(const models::Classifier& model, const data::Dataset& dataset,
                   std::int64_t compute_batch) {
  const auto eval_mode = model.frozen_eval();
  const auto filled = [&](std::int64_t first, std::int64_t step) {
    std::vector<std::int64_t> rows;
    for (std::int64_t slot = 0; slot < compute_batch; ++slot)
      rows.push_back((first + slot * step) % dataset.size());
    return pass(model, padded_batch(dataset, rows, compute_batch, model.device()));
  };
  SelfTest test;
  auto& largest = test.largest_difference;
  const auto one = filled(0, 0), many = filled(0, 1), moved = filled(1, 1);
  const auto slot = at::arange(compute_batch, at::TensorOptions(model.device()).dtype(at::kLong));
  test.repeats_equal = same(filled(0, 1), many, largest);
  test.slots_equal = same(one.slots(at::zeros_like(slot)), one, largest) &&
                     same(one.slots(slot.slice(0, 0, 1)), many.slots(slot.slice(0, 0, 1)), largest);
  // Row r of the second batch is row r + 1 of the first.
  test.neighbours_equal = compute_batch == 1 || same(many.slots(slot.slice(0, 1)),
                                                     moved.slots(slot.slice(0, 0, -1)), largest);
  return test;
}

SelfTest both(const SelfTest& a, const SelfTest& b) {
  return {.slots_equal = a.slots_equal && b.slots_equal,
          .neighbours_equal = a.neighbours_equal && b.neighbours_equal,
          .repeats_equal = a.repeats_equal && b.repeats_equal,
          .largest_difference = std::max(a.largest_difference, b.largest_difference)};
}

nlohmann::json to_json(const SelfTest& test) {
  return {{"passed", test.passed()},
          {"slots_equal", test.slots_equal},
          {"neighbours_equal", test.neighbours_equal},
          {"repeats_equal", test.repeats_equal},
          {"largest_difference", test.largest_difference}};
}

}  // namespace namid::eval
