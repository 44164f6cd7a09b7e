// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/guard_rails.h"

#include <unordered_set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/compute_batch.h"

namespace namid::eval {
namespace {

constexpr double kNeighbourTolerance = 1e-3;
constexpr double kProbabilityTolerance = 1e-4;

std::string text(const std::vector<std::int64_t>& shape) {
  std::string out = "(";
  for (const auto size : shape) out += str(out.size() > 1 ? ", " : "", size);
  return out + ")";
}

void check_ids(const data::Dataset& dataset) {
  if (static_cast<std::int64_t>(dataset.ids.size()) != dataset.size())
    throw OptionError(str("[evaluate] data '", dataset.name, "': expected ", dataset.size(),
                          " sample ids, got ", dataset.ids.size()));
  std::unordered_set<std::uint64_t> seen;
  for (const auto id : dataset.ids)
    if (!seen.insert(id).second)
      throw OptionError(str("[evaluate] data '", dataset.name, "': sample id ", id,
                            " stands twice; every sample needs its own"));
}

bool are_probabilities(const at::Tensor& logits) {
  const auto off = (logits.sum(1) - 1).abs().max().item<double>();
  return logits.min().item<double>() >= 0 && off <= kProbabilityTolerance;
}

}  // namespace

void check_fit(const models::Classifier& model, const data::Dataset& dataset) {
  if (dataset.size() == 0)
    throw OptionError(str("[evaluate] data '", dataset.name, "': expected samples, got none"));
  check_ids(dataset);
  const auto& info = model.info();
  if (dataset.shape() != info.input_shape)
    throw OptionError(str("[evaluate] model '", info.name, "' takes images ",
                          text(info.input_shape), ", data '", dataset.name, "' has ",
                          text(dataset.shape())));
  const auto low = dataset.labels.min().item<std::int64_t>();
  const auto high = dataset.labels.max().item<std::int64_t>();
  if (low < 0 || high >= info.num_classes)
    throw OptionError(str("[evaluate] data '", dataset.name, "' has label ", low < 0 ? low : high,
                          ", model '", info.name, "' has classes 0 to ", info.num_classes - 1));
}

void check_outputs(const models::Classifier& model, const data::Dataset& dataset,
                   std::int64_t compute_batch, int verdict_draws) {
  const at::NoGradGuard no_grad;
  const auto eval_mode = model.frozen_eval();
  const auto rows = std::min(dataset.size(), compute_batch);
  std::vector<std::int64_t> together(static_cast<std::size_t>(rows));
  for (std::int64_t i = 0; i < rows; ++i) together[static_cast<std::size_t>(i)] = i;
  const auto pass = [&](Rows of) {
    return model(padded_batch(dataset, of, compute_batch, model.device()).x).to(at::kDouble);
  };
  const auto logits = pass(together);
  if (!logits.isfinite().all().item<bool>()) return;  // the natural pass names the sample
  const auto& name = model.info().name;
  if (are_probabilities(logits))
    throw OptionError(
        str("[evaluate] model '", name,
            "': the outputs are probabilities, expected logits; remove the softmax, or evaluate "
            "with --outputs probabilities"));
  const auto size = std::max(logits[0].abs().max().item<double>(), 1e-12);
  const auto moved = [&](const at::Tensor& again) {
    return (logits[0] - again[0]).abs().max().item<double>();
  };
  if (const auto by = moved(pass(together)); !(by <= kNeighbourTolerance * size)) {
    if (verdict_draws > 1) return;
    throw OptionError(str("[evaluate] model '", name, "': the logits of an image move by ", by,
                          " between two passes: the model draws random numbers; give "
                          "--verdict-draws, e.g. 100, and --suite autoattack-rand"));
  }
  const std::vector<std::int64_t> alone = {0};
  if (const auto by = moved(pass(alone)); !(by <= kNeighbourTolerance * size))
    throw OptionError(str("[evaluate] model '", name, "': the logits of an image move by ", by,
                          " with its neighbours in the batch; export the model in eval mode"));
}

}  // namespace namid::eval
