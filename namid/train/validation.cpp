// SPDX-License-Identifier: Apache-2.0
#include "namid/train/validation.h"

#include <nlohmann/json.hpp>

namespace namid::train {
namespace {

constexpr std::int64_t kComputeBatch = 256;

std::optional<Validated> from_json(const nlohmann::json& json) {
  if (json.is_null()) return {};
  return Validated{json.at("epoch").get<int>(), json.at("natural_accuracy").get<double>(),
                   json.at("robust_accuracy").get<double>()};
}

bool is_better(const Validated& one, const std::optional<Validated>& other, Select select) {
  if (!other) return true;
  if (select == Select::test) return one.natural + one.robust >= other->natural + other->robust;
  return std::pair(one.robust, one.natural) > std::pair(other->robust, other->natural);
}

attacks::PgdOptions validation_attack(attacks::PgdOptions attack, int steps) {
  if (steps > 0) attack.steps = steps;
  return attack;
}

}  // namespace

nlohmann::json to_json(const std::optional<Validated>& validated) {
  if (!validated) return nullptr;
  return {{"epoch", validated->epoch},
          {"natural_accuracy", validated->natural},
          {"robust_accuracy", validated->robust}};
}

Validation::Validation(const data::Dataset& images, const attacks::PgdOptions& attack,
                       const TrainOptions& options, const run::StopToken* stop)
    : images_(images),
      attack_(validation_attack(attack, options.validation_steps)),
      options_(options),
      stop_(stop) {}

const char* Validation::images() const {
  if (images_.size() == 0) return nullptr;
  return options_.select == Select::test ? "test" : "validation";
}

bool Validation::is_due(int epoch) const {
  return images_.size() > 0 && (epoch % options_.validate_every == 0 || epoch == options_.epochs);
}

eval::QuickAccuracy Validation::measure(const models::Classifier& model) const {
  const auto batch = std::min(images_.size(), kComputeBatch);
  return eval::quick_accuracy(model, images_, attack_, options_.seed, static_cast<int>(batch),
                              stop_);
}

Validation::Verdict Validation::note(int epoch, const eval::QuickAccuracy& found) {
  last_ = Validated{epoch, found.natural, found.robust};
  Verdict verdict;
  verdict.is_best = is_better(*last_, best_, options_.select);
  if (verdict.is_best) best_ = last_;
  since_best_ = verdict.is_best ? 0 : since_best_ + 1;
  verdict.stop = options_.patience > 0 && since_best_ >= options_.patience;
  const std::string on = images();
  verdict.metrics = {{on + "_natural_accuracy", found.natural},
                     {on + "_robust_accuracy", found.robust},
                     {on + "_largest_class_share", found.largest_class_share}};
  return verdict;
}

nlohmann::json Validation::state() const {
  return {{"last", to_json(last_)}, {"best", to_json(best_)}, {"since_best", since_best_}};
}

void Validation::load_state(const nlohmann::json& state) {
  last_ = from_json(state.at("last"));
  best_ = from_json(state.at("best"));
  since_best_ = state.at("since_best").get<int>();
}

}  // namespace namid::train
