// SPDX-License-Identifier: Apache-2.0
#include "namid/train/validation.h"

#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/eval/evaluate.h"

namespace namid::train {
namespace {

constexpr double kCollapsedShare = 0.95;
constexpr double kUnevenLabels = 0.9;
constexpr std::int64_t kCollapseImages = 20;
constexpr std::int64_t kComputeBatch = 256;

std::optional<Validated> from_json(const nlohmann::json& json) {
  if (json.is_null()) return {};
  return Validated{json.at("epoch").get<int>(), json.at("natural_accuracy").get<double>(),
                   json.at("robust_accuracy").get<double>()};
}

bool is_better(const Validated& one, const std::optional<Validated>& other) {
  return !other || std::pair(one.robust, one.natural) > std::pair(other->robust, other->natural);
}

}  // namespace

nlohmann::json to_json(const std::optional<Validated>& validated) {
  if (!validated) return nullptr;
  return {{"epoch", validated->epoch},
          {"natural_accuracy", validated->natural},
          {"robust_accuracy", validated->robust}};
}

bool has_collapsed(double largest_class_share, const at::Tensor& labels) {
  if (labels.size(0) < kCollapseImages || largest_class_share < kCollapsedShare) return false;
  const auto largest = at::bincount(labels).max().item<std::int64_t>();
  return static_cast<double>(largest) < kUnevenLabels * static_cast<double>(labels.size(0));
}

Validation::Validation(const data::Dataset& images, const attacks::PgdOptions& attack,
                       const TrainOptions& options, const run::StopToken* stop)
    : images_(images), attack_(attack), options_(options), stop_(stop) {}

bool Validation::is_due(int epoch) const {
  return images_.size() > 0 && (epoch % options_.validate_every == 0 || epoch == options_.epochs);
}

Validation::Verdict Validation::run(const models::Classifier& model, const Position& position,
                                    std::vector<std::string>& warnings) {
  const auto batch = std::min(images_.size(), kComputeBatch);
  const auto found =
      eval::quick_accuracy(model, images_, attack_, options_.seed, static_cast<int>(batch), stop_);
  if (has_collapsed(found.largest_class_share, images_.labels))
    raise_alarm(position, found.largest_class_share, warnings);
  last_ = Validated{position.epoch, found.natural, found.robust};
  Verdict verdict;
  verdict.is_best = is_better(*last_, best_);
  if (verdict.is_best) best_ = last_;
  since_best_ = verdict.is_best ? 0 : since_best_ + 1;
  verdict.stop = options_.patience > 0 && since_best_ >= options_.patience;
  verdict.metrics = {{"validation_natural_accuracy", found.natural},
                     {"validation_robust_accuracy", found.robust},
                     {"validation_largest_class_share", found.largest_class_share}};
  return verdict;
}

void Validation::raise_alarm(const Position& position, double share,
                             std::vector<std::string>& warnings) {
  const bool first = !last_;
  collapses_ += 1;
  const auto text =
      str("epoch ", position.epoch, ": one class is predicted for ", fixed(100 * share, 1),
          " % of the validation images: the model has collapsed");
  if (options_.stop_on_collapse && !first)
    throw NumericError(str(
        text, " (step ", position.step,
        "). A lower lr, a stronger clip_grad or warmup_epochs may help",
        best_ ? str("; the best weights so far (epoch ", best_->epoch, ") are in best.safetensors")
              : "",
        "; to train on regardless, set stop_on_collapse = false in the run's config.toml and "
        "resume"));
  log_warning(text);
  warnings.push_back(text);
}

nlohmann::json Validation::state() const {
  return {{"last", to_json(last_)},
          {"best", to_json(best_)},
          {"since_best", since_best_},
          {"collapses", collapses_}};
}

void Validation::load_state(const nlohmann::json& state) {
  last_ = from_json(state.at("last"));
  best_ = from_json(state.at("best"));
  since_best_ = state.at("since_best").get<int>();
  collapses_ = state.at("collapses").get<int>();
}

}  // namespace namid::train
