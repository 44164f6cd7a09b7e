// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "namid/core/options.h"
#include "namid/run/metrics.h"

namespace namid::train {

/// What is done when an alarm is raised. off: it is not looked at.
enum class OnAlarm { off, warn, stop };

/// Signs that a training has gone wrong, looked at after each epoch.
enum class Alarm { collapse, incredible_scores, overfitting };

struct AlarmOptions {
  OnAlarm on_collapse = OnAlarm::stop;
  OnAlarm on_incredible_scores = OnAlarm::warn;
  OnAlarm on_overfitting = OnAlarm::warn;
  double overfitting_drop = 0.05;
  static constexpr auto fields() {
    using T = AlarmOptions;
    return std::tuple{
        field("on_collapse", &T::on_collapse,
              "one class is predicted for nearly all of the validation images"),
        field("on_incredible_scores", &T::on_incredible_scores,
              "an estimator's mean score over an epoch is beyond log(N-1) either way"),
        field("on_overfitting", &T::on_overfitting,
              "robust accuracy falls on validation images while it rises in training"),
        field("overfitting_drop", &T::overfitting_drop,
              "how far below its best the robust validation accuracy counts as fallen",
              between(0, 1))};
  }
};
NAMID_CHECK_FIELDS(AlarmOptions);

/// A model whose predictions on at least 20 validation images are one class for 95 % of them has
/// collapsed, unless the labels themselves are that uneven (their largest class has 90 % or more).
bool has_collapsed(double largest_class_share, const at::Tensor& labels);

/// −log(N−1) ≤ score ≤ log(N−1); always true for N < 3. By its scores an estimator gives the true
/// pair, against all N−1 negatives together, the log-odds score − log(N−1): chance is score 0.
/// Above log(N−1) a finite batch cannot bear the number out (mcallester2020limits: no lower bound
/// from N samples exceeds O(log N)); below −log(N−1) the critic finds the true pair as much less
/// likely than chance as that is more, which no network that it was trained on gives.
bool is_credible(double score, std::int64_t n);

/// Robust accuracies of an epoch: mean over its training batches, and on validation images.
struct RobustAccuracies {
  int epoch = 0;
  double training = 0, validation = 0;
};
/// Robust overfitting (rice2020overfitting): since the epoch of the best validation, that accuracy
/// has fallen by more than `drop` while the one in training has risen. (A collapse is not counted
/// as such.)
bool is_overfitting(const RobustAccuracies& best, const RobustAccuracies& now, double drop);

/// The alarms of a training and what they remember.
class Alarms {
 public:
  /// n: images of a full batch.
  Alarms(const AlarmOptions& options, at::Tensor validation_labels, std::int64_t n);

  /// An epoch's end: means over its batches (every "..._score" is one of an estimator;
  /// "adversarial_accuracy" the robust one), and what a validation found, if there was one.
  struct Epoch {
    int number = 0;
    Metrics means = {};
    std::optional<double> robust = {}, largest_class_share = {};  ///< both or none
  };
  struct Verdict {
    Metrics metrics;                    ///< alarm_<name>: 0 or 1, where it was looked at
    std::vector<std::string> warnings;  ///< one when an alarm is raised that did not stand before
    std::string error;                  ///< collapse or incredible scores, where they stop a run
    bool stop = false;                  ///< overfitting, where it does: an early stop, no error
  };
  /// A collapse at the first validation only warns: a run that has hardly started may well predict
  /// one class.
  Verdict check(const Epoch& epoch);

  /// Those that were raised: {"alarm", "action", "epochs" (how many), "first_epoch", "last_epoch",
  /// "text"}.
  nlohmann::json record() const;
  nlohmann::json state() const;
  void load_state(const nlohmann::json& state);

 private:
  struct Memory {
    int epochs = 0, first = 0, last = 0;
    bool stands = false;
    std::string text;
  };
  OnAlarm action(Alarm alarm) const;
  /// Notes what was found; empty text: the alarm is not raised.
  void note(Alarm alarm, const std::string& text, int epoch, Verdict& verdict);
  void check_collapse(const Epoch& epoch, Verdict& verdict);
  void check_scores(const Epoch& epoch, Verdict& verdict);
  void check_overfitting(const Epoch& epoch, Verdict& verdict);

  const AlarmOptions options_;
  const at::Tensor labels_;
  const std::int64_t n_;
  std::array<Memory, 3> memories_;
  std::optional<RobustAccuracies> best_;
  bool validated_ = false;
};

}  // namespace namid::train

namespace namid {
template <>
struct EnumNames<train::OnAlarm> {
  static constexpr std::array kNames{"off", "warn", "stop"};
};
template <>
struct EnumNames<train::Alarm> {
  static constexpr std::array kNames{"collapse", "incredible_scores", "overfitting"};
};
}  // namespace namid
