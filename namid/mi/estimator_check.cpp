// SPDX-License-Identifier: Apache-2.0
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/estimator.h"

namespace namid::mi {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const auto size : shape) text += str(text.empty() ? "" : "x", size);
  return text;
}

[[noreturn]] void refuse(std::string_view what, std::string_view made, std::string_view needed,
                         std::string_view mend) {
  throw OptionError(
      str("estimators: made for ", what, " ", made, ", needed for ", needed, "; ", mend));
}

void check_layer(const EstimatorInfo& info, const models::Classifier& model) {
  if (info.layer == models::Layer::logits) return;
  const auto layer = to_string(info.layer);
  if (!model.has_layer(info.layer))
    refuse("layer", layer, str(model.info().name, ", which has no such layer"),
           "train estimators on its logits");
  const auto made = info.layer_channels > 0                 ? info.layer_channels
                    : info.layer == models::Layer::internal ? 256
                                                            : 512;
  if (const auto channels = layer_channels(model, info.layer); channels != made)
    refuse("layer", str(layer, " with ", made, " channels"), str(channels, " channels"),
           "train estimators on a target of the same network");
}

}  // namespace

void check_estimators(const EstimatorInfo& info, const models::Classifier& model,
                      const EstimatorUse& use) {
  constexpr std::string_view kMend = "train estimators on a target of the same data set";
  if (info.num_classes != model.info().num_classes)
    refuse("class count", str(info.num_classes), str(model.info().num_classes), kMend);
  if (info.input_shape != model.info().input_shape)
    refuse("input shape", shape_text(info.input_shape), shape_text(model.info().input_shape),
           kMend);
  check_layer(info, model);
  if (info.budget.norm != use.budget.norm && use.allow_mismatch != EstimatorMismatch::norm)
    refuse("norm", to_string(info.budget.norm), to_string(use.budget.norm),
           "train estimators with that norm, or accept it with --allow-estimator-mismatch norm");
  if (info.weak && !use.allow_weak)
    throw OptionError(
        "estimators: weak, their mean score on their own training data is negative or not known; "
        "train them longer, or accept them with --allow-weak-estimator");
}

}  // namespace namid::mi
