// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/data/dataset.h"
#include "namid/run/checkpoint.h"
#include "namid/run/metrics.h"
#include "namid/train/guard.h"

namespace namid::train {

/// What the end of an epoch has to say.
struct EpochEnd {
  Metrics metrics;    ///< added to the epoch's row
  bool stop = false;  ///< no further epoch
};

/// What `run_epochs` drives: a model in training, or a pair of estimators. Everything that it needs
/// to go on lies in `state`; the loop keeps step, epoch and the epoch's means.
class Trainable {
 public:
  virtual ~Trainable() = default;

  /// Called before the first step of an epoch (from 1), and again where a resumed run goes on
  /// inside of it.
  virtual void begin_epoch(int epoch) = 0;
  /// One optimiser step. context: attack stream, sample ids, epoch.
  virtual Metrics step(const data::Batch& batch, const attacks::Context& context,
                       const Position& position) = 0;
  /// `means`: the epoch's. Where it throws run::Interrupted it must have changed nothing, since it
  /// is called again in the resumed run.
  virtual EpochEnd end_epoch(const Position& position, const Metrics& means) = 0;

  virtual run::Checkpoint state() const = 0;
  /// DataError where the state does not fit.
  virtual void load_state(const run::Checkpoint& checkpoint) = 0;
};

}  // namespace namid::train
