// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/masking_probe.h"

#include <algorithm>
#include <numeric>

#include "namid/attacks/start.h"
#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::eval {
namespace {

at::Tensor outputs_of(const Bench& bench, Rows rows) {
  const at::NoGradGuard no_grad;
  const auto& info = bench.model.info();
  const auto batch = padded_batch(bench.dataset, rows, bench.compute_batch, bench.model.device());
  const auto outputs = bench.model(batch.x).to(at::kCPU, at::kDouble);
  if (outputs.dim() != 2 || outputs.size(1) != info.num_classes)
    throw OptionError(
        str("[masking] model '", info.name, "': expected outputs (N, ", info.num_classes, ")"));
  if (!outputs.isfinite().all().item<bool>())
    throw NumericError(
        str("[masking] model '", info.name, "': outputs of natural images are not finite"));
  return outputs.narrow(0, 0, static_cast<std::int64_t>(rows.size()));
}

/// Adds rows of outputs that should be equal.
void add_movement(Movement& moved, const at::Tensor& a, const at::Tensor& b, double size) {
  moved.logits = std::max(moved.logits, (a - b).abs().max().item<double>() / size);
}

/// Largest magnitude of the outputs, above 0.
double size_of_outputs(const at::Tensor& outputs) {
  return std::max(outputs.abs().max().item<double>(), 1e-12);
}

Movement between_passes(const Bench& bench, Rows rows, const at::Tensor& first, int passes) {
  Movement moved{.images = first.size(0)};
  auto changed = at::zeros({first.size(0)}, at::kBool);
  for (int pass = 1; pass < passes; ++pass) {
    const auto again = outputs_of(bench, rows);
    add_movement(moved, first, again, size_of_outputs(first));
    changed = changed.logical_or(first.argmax(1).ne(again.argmax(1)));
  }
  moved.changed = changed.sum().item<std::int64_t>();
  return moved;
}

Movement among_copies(const Bench& bench, Rows rows, const at::Tensor& together) {
  Movement moved{.images = std::ssize(rows)};
  for (std::int64_t i = 0; i < moved.images; ++i) {
    const auto alone = outputs_of(bench, rows.subspan(static_cast<std::size_t>(i), 1));
    const auto among = together.narrow(0, i, 1);
    add_movement(moved, among, alone, size_of_outputs(together));
    moved.changed += among.argmax(1).ne(alone.argmax(1)).item<bool>();
  }
  return moved;
}

/// Rows (N, bool) whose gradient at x is 0 throughout.
at::Tensor without_gradient(const Bench& bench, const at::Tensor& x, const at::Tensor& y) {
  const c10::AutoGradMode with_graph(true);
  const auto leaf = x.detach().requires_grad_(true);
  const auto loss =
      at::cross_entropy_loss(bench.model(leaf).to(at::kFloat), y, {}, at::Reduction::Sum);
  if (!loss.requires_grad()) return at::ones({x.size(0)}, x.options().dtype(at::kBool));
  const auto gradient =
      torch::autograd::grad({loss}, {leaf}, {}, std::nullopt, false, true).front();
  if (!gradient.defined()) return at::ones({x.size(0)}, x.options().dtype(at::kBool));
  return gradient.flatten(1).eq(0).all(1);
}

}  // namespace

OutputProbe probe_outputs(const Bench& bench, int passes, int singles) {
  const auto eval_mode = bench.model.frozen_eval();
  std::vector<std::int64_t> all(
      static_cast<std::size_t>(std::min<std::int64_t>(bench.dataset.size(), bench.compute_batch)));
  std::iota(all.begin(), all.end(), 0);
  const Rows rows = all;
  const auto outputs = outputs_of(bench, rows);
  OutputProbe probe;
  probe.range = {.lowest = outputs.min().item<double>(),
                 .sum_error = (outputs.sum(1) - 1).abs().max().item<double>()};
  probe.again = between_passes(bench, rows, outputs, passes);
  const auto few = std::min(rows.size(), static_cast<std::size_t>(singles));
  probe.alone = among_copies(bench, rows.first(few), outputs);
  return probe;
}

std::int64_t count_zero_gradients(const Bench& bench, Rows rows, const attacks::Budget& budget) {
  const auto eval_mode = bench.model.frozen_eval();
  std::int64_t zero = 0;
  for (const auto piece : split_rows(rows, bench.compute_batch)) {
    if (bench.stop) bench.stop->check();
    const auto batch =
        padded_batch(bench.dataset, piece, bench.compute_batch, bench.model.device());
    const auto start = attacks::start_point(batch.x, attacks::Start::uniform, budget,
                                            Random(bench.seed, "masking/start"), batch.ids, 0);
    const auto both = without_gradient(bench, batch.x, batch.y)
                          .logical_and(without_gradient(bench, start, batch.y));
    zero += both.narrow(0, 0, std::ssize(piece)).sum().item<std::int64_t>();
  }
  return zero;
}

}  // namespace namid::eval
