// SPDX-License-Identifier: Apache-2.0
#include "namid/train/refresh.h"

#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/core/random.h"
#include "namid/models/weights.h"
#include "namid/train/train.h"

namespace namid::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr auto kFolder = "refresh";
constexpr auto kFile = "estimators.safetensors";
constexpr std::size_t kKeptNets = 3;

json record_in(const fs::path& folder) {
  if (!fs::exists(folder / "run.json")) return json::object();
  return run::RunFolder::open(folder).read_record();
}

}  // namespace

bool refresh_is_due(int epoch, int every, int after) {
  return every > 0 && epoch > std::max(after, 1) && (epoch - 1) % every == 0;
}

std::uint64_t refresh_seed(std::uint64_t seed, int epoch) {
  const auto words = Random(seed, str("refresh/", epoch)).words({});
  return words[0] | static_cast<std::uint64_t>(words[1]) << 32;
}

EstimatorRefresh::EstimatorRefresh(const RefreshPlan& plan, int every,
                                   const data::Dataset& training, bool augment,
                                   const attacks::PgdOptions& attack,
                                   const Surroundings& surroundings)
    : plan_(plan),
      every_(every),
      training_(training),
      augment_(augment),
      attack_(attack),
      surroundings_(surroundings) {}

double EstimatorRefresh::seconds(int epoch) const {
  const bool now = !record_.empty() && record_.back().at("epoch") == epoch;
  return now ? record_.back().at("seconds").get<double>() : 0;
}

fs::path EstimatorRefresh::folder_of(int epoch) const {
  return surroundings_.folder / kFolder / str("epoch-", epoch, "-001");
}

void EstimatorRefresh::begin_epoch(int epoch, const models::Classifier& model) {
  if (!refresh_is_due(epoch, every_, plan_.after)) return;
  if (!record_.empty() && record_.back().at("epoch") == epoch) return;
  const json result = retrain(epoch, model);
  use(folder_of(epoch), model);
  record_.push_back({{"epoch", epoch},
                     {"run", fs::relative(folder_of(epoch), surroundings_.folder.path()).string()},
                     {"steps", result.at("steps")},
                     {"seconds", result.at("seconds")},
                     {"scores", result.at("scores")},
                     {"weak", result.at("weak")}});
  for (const auto& warning : result.at("warnings"))
    warnings_.push_back(str("refresh before epoch ", epoch, ": ", warning.get<std::string>()));
  drop_old_nets();
}

json EstimatorRefresh::retrain(int epoch, const models::Classifier& model) {
  const auto path = folder_of(epoch);
  const auto hash = models::weights_sha256(model.state_dict());
  const auto record = record_in(path);
  const bool begun = record.value("target_sha256", "") == hash;
  if (begun && record.value("status", "") == "done" && fs::exists(path / kFile))
    return record.at("result");
  if (!begun) fs::remove_all(path);  // of other weights, or not even begun
  const auto folder =
      begun ? run::RunFolder::open(path)
            : run::RunFolder::create(surroundings_.folder.path(), kFolder, str("epoch-", epoch));
  log_info("retraining the estimators before epoch ", epoch);
  folder.update_record({{"status", "running"}, {"target_sha256", hash}});
  EstimateOptions options = plan_.estimate;
  options.seed = refresh_seed(options.seed, epoch);
  const data::Dataset no_validation;
  const auto result =
      estimate({.target = model,
                .target_sha256 = hash,
                .training = training_,
                .validation = no_validation,
                .augment = augment_,
                .attack = attack_},
               options, {folder, surroundings_.stop, begun, surroundings_.show_progress});
  folder.update_record({{"status", "done"}, {"result", result}});
  fs::remove_all(path / "checkpoints");
  return result;
}

void EstimatorRefresh::use(const fs::path& folder, const models::Classifier& model) {
  const auto pair = mi::load_estimators(folder / kFile);
  for (const auto* estimator : {&pair.natural, &pair.adversarial})
    if (estimator->defined()) estimator->to(model.device());
  objective_ = plan_.bind(pair);
}

void EstimatorRefresh::drop_old_nets() const {
  if (record_.size() <= kKeptNets) return;
  const auto& old = record_[record_.size() - kKeptNets - 1];
  fs::remove(folder_of(old.at("epoch").get<int>()) / kFile);
}

void EstimatorRefresh::load_state(const json& state, const models::Classifier& model) {
  record_ = state;
  objective_.reset();
  if (!record_.empty()) use(folder_of(record_.back().at("epoch").get<int>()), model);
}

}  // namespace namid::train
