// SPDX-License-Identifier: Apache-2.0
#include "namid/train/loop.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/core/progress.h"
#include "namid/train/checkpoints.h"
#include "namid/train/epoch_means.h"

namespace namid::train {
namespace {

using Clock = std::chrono::steady_clock;

std::string details(const Metrics& metrics) {
  std::string text;
  const auto add = [&](const char* key, const char* label, double factor, int digits) {
    const auto entry = metrics.find(key);
    if (entry == metrics.end()) return;
    text += str(text.empty() ? "" : " ", label, " ", fixed(factor * entry->second, digits));
  };
  add("loss", "loss", 1, 3);
  add("natural_score", "natural score", 1, 2);
  add("adversarial_score", "adversarial score", 1, 2);
  add("accuracy", "clean", 100, 1);
  add("adversarial_accuracy", "robust", 100, 1);
  return text;
}

class EpochLoop {
 public:
  EpochLoop(Trainable& work, const data::Dataset& dataset, const LoopOptions& options,
            const Surroundings& surroundings);
  LoopResult run();

 private:
  void restore();
  void load(const run::Checkpoint& checkpoint);
  void run_epoch();
  void run_step(const std::vector<std::int64_t>& order, Progress& progress);
  void finish_epoch();
  void save();
  void stop_if_asked();
  data::Batch next_batch(const std::vector<std::int64_t>& order) const;
  nlohmann::json identity() const;
  double seconds() const;
  Position position() const { return {step_, epoch_}; }

  Trainable& work_;
  const data::Dataset& dataset_;
  const LoopOptions& options_;
  const Surroundings& surroundings_;
  const Checkpoints checkpoints_;
  const Random order_, augment_, attack_;
  const std::int64_t batches_;
  const Clock::time_point started_ = Clock::now();
  std::optional<run::MetricsWriter> metrics_;
  EpochMeans means_;
  int epoch_ = 1;
  std::int64_t batch_ = 0;  ///< batches of this epoch that are done
  std::int64_t step_ = 0;
  double earlier_seconds_ = 0;
  bool finished_ = false;
};

EpochLoop::EpochLoop(Trainable& work, const data::Dataset& dataset, const LoopOptions& options,
                     const Surroundings& surroundings)
    : work_(work),
      dataset_(dataset),
      options_(options),
      surroundings_(surroundings),
      checkpoints_(surroundings.folder.path()),
      order_(options.seed, options.stage + "/order"),
      augment_(options.seed, options.stage + "/augment"),
      attack_(options.seed, options.stage + "/attack"),
      batches_(batches_per_epoch(dataset.size(), options)) {
  if (batches_ == 0)
    throw OptionError(str("[", options.stage,
                          "] batch_size: expected a batch of at least two images "
                          "from the training set, got batch_size ",
                          options.batch_size, " and ", dataset.size(), " images"));
}

nlohmann::json EpochLoop::identity() const {
  return {{"seed", options_.seed},
          {"batch_size", options_.batch_size},
          {"samples", dataset_.size()},
          {"augment", options_.augment}};
}

double EpochLoop::seconds() const {
  return earlier_seconds_ + std::chrono::duration<double>(Clock::now() - started_).count();
}

void EpochLoop::restore() {
  if (!surroundings_.resume) {
    metrics_.emplace(surroundings_.folder.path());
    return;
  }
  if (const auto checkpoint = checkpoints_.load()) {
    try {
      load(*checkpoint);
    } catch (const nlohmann::json::exception& error) {
      throw DataError(str(surroundings_.folder.path().string(), ": checkpoint: ", error.what()));
    }
    log_info("going on after step ", step_, " (epoch ", epoch_, ")");
  } else {
    log_warning("no readable checkpoint in ", surroundings_.folder.path().string(),
                ": starting from the beginning");
  }
  metrics_.emplace(surroundings_.folder.path(), step_);
}

void EpochLoop::load(const run::Checkpoint& checkpoint) {
  const auto& state = checkpoint.state;
  const auto expected = identity();
  for (const auto& [key, value] : expected.items())
    if (state.at("identity").at(key) != value)
      throw OptionError(str("[", options_.stage, "] ", key, ": the checkpoint was made with ",
                            state.at("identity").at(key).dump(), ", got ", value.dump()));
  work_.load_state({checkpoint.tensors, state.at("work")});
  means_.load_state(state.at("means"));
  step_ = state.at("step").get<std::int64_t>();
  epoch_ = state.at("epoch").get<int>();
  batch_ = state.at("batch").get<std::int64_t>();
  earlier_seconds_ = state.at("seconds").get<double>();
  finished_ = state.at("finished").get<bool>();
}

void EpochLoop::save() {
  run::Checkpoint checkpoint = work_.state();
  check_finite(checkpoint.tensors, "state before saving:", position());
  checkpoint.state = {{"identity", identity()},  {"work", std::move(checkpoint.state)},
                      {"means", means_.state()}, {"step", step_},
                      {"epoch", epoch_},         {"batch", batch_},
                      {"seconds", seconds()},    {"finished", finished_}};
  metrics_->flush();
  checkpoints_.save(checkpoint);
}

void EpochLoop::stop_if_asked() {
  if (surroundings_.stop == nullptr || !surroundings_.stop->requested()) return;
  save();
  surroundings_.stop->check();
}

data::Batch EpochLoop::next_batch(const std::vector<std::int64_t>& order) const {
  const auto first = static_cast<std::size_t>(batch_ * options_.batch_size);
  const auto count = std::min<std::size_t>(options_.batch_size, order.size() - first);
  auto batch = data::make_batch(dataset_, std::span(order).subspan(first, count), options_.device);
  if (options_.augment)
    batch.x = data::augment(batch.x, batch.ids, augment_, static_cast<std::uint32_t>(epoch_));
  return batch;
}

void EpochLoop::run_step(const std::vector<std::int64_t>& order, Progress& progress) {
  const auto batch = next_batch(order);
  attacks::Context context{.random = attack_};
  context.ids = batch.ids;
  context.epoch = static_cast<std::uint32_t>(epoch_);
  const auto metrics = work_.step(batch, context, {step_ + 1, epoch_});
  ++step_;
  ++batch_;
  means_.add(metrics, batch.size());
  const double epochs = epoch_ - 1 + static_cast<double>(batch_) / static_cast<double>(batches_);
  metrics_->write("step", step_, epochs, metrics);
  progress.update(batch_, details(metrics));
}

void EpochLoop::run_epoch() {
  work_.begin_epoch(epoch_);
  const auto order = order_.permutation(dataset_.size(), static_cast<std::uint32_t>(epoch_));
  Progress progress(str("epoch ", epoch_, "/", options_.epochs), batches_,
                    surroundings_.show_progress ? ProgressMode::automatic : ProgressMode::none,
                    batch_);
  while (batch_ < batches_) {
    run_step(order, progress);
    stop_if_asked();
    const bool due = options_.checkpoint_every > 0 && step_ % options_.checkpoint_every == 0;
    if (due && batch_ < batches_) save();
  }
  progress.update(batch_, details(means_.means()));
  progress.finish();
  finish_epoch();
}

void EpochLoop::finish_epoch() {
  Metrics row = means_.means();
  EpochEnd end;
  try {
    end = work_.end_epoch(position(), row);
  } catch (const run::Interrupted&) {
    save();
    throw;
  }
  row.merge(end.metrics);
  row["seconds"] = seconds();
  metrics_->write("epoch", step_, epoch_, row);
  finished_ = end.stop || epoch_ >= options_.epochs;
  ++epoch_;
  batch_ = 0;
  means_ = {};
  save();
}

LoopResult EpochLoop::run() {
  restore();
  try {
    while (!finished_) {
      run_epoch();
      if (!finished_) stop_if_asked();
    }
  } catch (const NumericError& error) {
    metrics_->flush();
    throw NumericError(str("[", options_.stage, "] ", error.what(), "; ", checkpoints_.kept()));
  }
  return {epoch_ - 1, step_, seconds()};
}

}  // namespace

std::int64_t batches_per_epoch(std::int64_t samples, const LoopOptions& options) {
  const auto full = samples / options.batch_size;
  const auto rest = samples % options.batch_size;
  return full + (!options.drop_last && rest > 1 ? 1 : 0);
}

LoopResult run_epochs(Trainable& work, const data::Dataset& dataset, const LoopOptions& options,
                      const Surroundings& surroundings) {
  return EpochLoop(work, dataset, options, surroundings).run();
}

}  // namespace namid::train
