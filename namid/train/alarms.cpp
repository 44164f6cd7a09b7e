// SPDX-License-Identifier: Apache-2.0
#include "namid/train/alarms.h"

#include <ATen/ops/bincount.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "namid/core/log.h"

namespace namid::train {
namespace {

using nlohmann::json;

constexpr double kCollapsedShare = 0.95;
constexpr double kUnevenLabels = 0.9;
constexpr std::int64_t kCollapseImages = 20;
constexpr std::array kAlarms{Alarm::collapse, Alarm::incredible_scores, Alarm::overfitting};

double largest_credible(std::int64_t n) {
  return std::log(static_cast<double>(n - 1));
}

std::string percent(double share) {
  return fixed(100 * share, 1) + " %";
}

}  // namespace

bool has_collapsed(double largest_class_share, const at::Tensor& labels) {
  if (labels.size(0) < kCollapseImages || largest_class_share < kCollapsedShare) return false;
  const auto largest = at::bincount(labels).max().item<std::int64_t>();
  return static_cast<double>(largest) < kUnevenLabels * static_cast<double>(labels.size(0));
}

bool is_credible(double score, std::int64_t n) {
  return n < 3 || std::abs(score) <= largest_credible(n);
}

bool is_overfitting(const RobustAccuracies& best, const RobustAccuracies& now, double drop) {
  return best.validation - now.validation > drop && now.training > best.training;
}

Alarms::Alarms(const AlarmOptions& options, at::Tensor validation_labels, std::int64_t n)
    : options_(options), labels_(std::move(validation_labels)), n_(n) {}

OnAlarm Alarms::action(Alarm alarm) const {
  switch (alarm) {
    case Alarm::collapse:
      return options_.on_collapse;
    case Alarm::incredible_scores:
      return options_.on_incredible_scores;
    case Alarm::overfitting:
      break;
  }
  return options_.on_overfitting;
}

void Alarms::note(Alarm alarm, const std::string& text, int epoch, Verdict& verdict) {
  auto& memory = memories_[static_cast<std::size_t>(alarm)];
  const bool raised = !text.empty();
  verdict.metrics[str("alarm_", to_string(alarm))] = raised ? 1 : 0;
  const bool stood = std::exchange(memory.stands, raised);
  if (!raised) return;
  memory.epochs += 1;
  if (memory.first == 0) memory.first = epoch;
  memory.last = epoch;
  if (stood) return;
  memory.text = text;
  verdict.warnings.push_back(text);
  log_warning(text);
}

void Alarms::check_collapse(const Epoch& epoch, Verdict& verdict) {
  const bool first = !std::exchange(validated_, true);
  if (options_.on_collapse == OnAlarm::off) return;
  const double share = *epoch.largest_class_share;
  std::string text;
  if (has_collapsed(share, labels_))
    text = str("epoch ", epoch.number, ": one class is predicted for ", percent(share),
               " of the validation images: the model has collapsed");
  note(Alarm::collapse, text, epoch.number, verdict);
  if (!text.empty() && !first && options_.on_collapse == OnAlarm::stop)
    verdict.error = text + ". A lower lr, a stronger clip_grad or warmup_epochs may help";
}

void Alarms::check_scores(const Epoch& epoch, Verdict& verdict) {
  std::string found;
  bool any = false;
  for (const auto& [name, value] : epoch.means) {
    if (!name.ends_with("_score")) continue;
    any = true;
    if (is_credible(value, n_)) continue;
    found += str(found.empty() ? "" : ", ", name, " ", fixed(value, 2));
  }
  if (!any) return;
  std::string text;
  if (!found.empty())
    text = str("epoch ", epoch.number, ": mean scores in nats: ", found,
               "; beyond log(N-1) = ", fixed(largest_credible(n_), 2), " (N = ", n_,
               ") they say nothing: the estimators do not know this network");
  note(Alarm::incredible_scores, text, epoch.number, verdict);
  if (!text.empty() && options_.on_incredible_scores == OnAlarm::stop)
    verdict.error = text + ". refresh_estimators, init = \"target\" or lambda = 0 may help";
}

void Alarms::check_overfitting(const Epoch& epoch, Verdict& verdict) {
  const auto training = epoch.means.find("adversarial_accuracy");
  if (training == epoch.means.end() || has_collapsed(*epoch.largest_class_share, labels_)) return;
  const RobustAccuracies now{epoch.number, training->second, *epoch.robust};
  if (!best_ || now.validation > best_->validation) best_ = now;
  std::string text;
  if (is_overfitting(*best_, now, options_.overfitting_drop))
    text = str("epoch ", epoch.number, ": robust overfitting: since epoch ", best_->epoch,
               " the robust accuracy has fallen from ", percent(best_->validation), " to ",
               percent(now.validation), " on validation images and risen from ",
               percent(best_->training), " to ", percent(now.training), " in training");
  note(Alarm::overfitting, text, epoch.number, verdict);
  if (!text.empty() && options_.on_overfitting == OnAlarm::stop) verdict.stop = true;
}

Alarms::Verdict Alarms::check(const Epoch& epoch) {
  Verdict verdict;
  if (epoch.largest_class_share) check_collapse(epoch, verdict);
  if (options_.on_incredible_scores != OnAlarm::off) check_scores(epoch, verdict);
  if (epoch.robust && options_.on_overfitting != OnAlarm::off) check_overfitting(epoch, verdict);
  return verdict;
}

json Alarms::record() const {
  json raised = json::array();
  for (const auto alarm : kAlarms) {
    const auto& memory = memories_[static_cast<std::size_t>(alarm)];
    if (memory.epochs == 0) continue;
    raised.push_back({{"alarm", to_string(alarm)},
                      {"action", to_string(action(alarm))},
                      {"epochs", memory.epochs},
                      {"first_epoch", memory.first},
                      {"last_epoch", memory.last},
                      {"text", memory.text}});
  }
  return raised;
}

json Alarms::state() const {
  json state = {{"validated", validated_}, {"best", nullptr}};
  if (best_) state["best"] = {best_->epoch, best_->training, best_->validation};
  for (const auto alarm : kAlarms) {
    const auto& memory = memories_[static_cast<std::size_t>(alarm)];
    state[std::string(to_string(alarm))] = {{"epochs", memory.epochs},
                                            {"first", memory.first},
                                            {"last", memory.last},
                                            {"stands", memory.stands},
                                            {"text", memory.text}};
  }
  return state;
}

void Alarms::load_state(const json& state) {
  validated_ = state.at("validated").get<bool>();
  best_.reset();
  if (const auto& best = state.at("best"); !best.is_null())
    best_ = {best.at(0).get<int>(), best.at(1).get<double>(), best.at(2).get<double>()};
  for (const auto alarm : kAlarms) {
    const auto& from = state.at(std::string(to_string(alarm)));
    memories_[static_cast<std::size_t>(alarm)] = {
        from.at("epochs").get<int>(), from.at("first").get<int>(), from.at("last").get<int>(),
        from.at("stands").get<bool>(), from.at("text").get<std::string>()};
  }
}

}  // namespace namid::train
