// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

#include "namid/data/dataset.h"
#include "namid/train/surroundings.h"
#include "namid/train/trainable.h"

namespace namid::train {

struct LoopOptions {
  std::string stage = "train";  ///< names random streams and messages
  int epochs = 1;
  int batch_size = 1;
  bool drop_last = false;  ///< leave out an epoch's last, smaller batch
  bool augment = false;
  std::uint64_t seed = 0;
  int checkpoint_every = 0;  ///< steps; 0: at the end of epochs only
  at::Device device = at::kCPU;
};

struct LoopResult {
  int epochs = 0;          ///< complete ones
  std::int64_t steps = 0;  ///< over all epochs
  double seconds = 0;      ///< of work, over all resumptions
};

/// Sizes of an epoch's batches over `samples` images. A last batch of one image is left out (unless
/// batch_size is 1): it has no batch statistics.
std::int64_t batches_per_epoch(std::int64_t samples, const LoopOptions& options);

/// Trains over `dataset`. The order of epoch e is Random(seed, "<stage>/order").permutation(n, e),
/// augmentation draws from "<stage>/augment" and attacks from "<stage>/attack", all by sample id
/// and epoch, so that a checkpoint needs no generator's state. Metrics: a "step" row per step, an
/// "epoch" row of means per epoch. Checkpoints: `checkpoints/last.safetensors`, and the one before
/// it as `previous`. A stop that was asked for lets the step finish, saves, then throws
/// run::Interrupted. OptionError if the data gives no batch or a checkpoint of another seed, batch
/// size or data is to be resumed; NumericError for tensors that are not finite.
LoopResult run_epochs(Trainable& work, const data::Dataset& dataset, const LoopOptions& options,
                      const Surroundings& surroundings);

}  // namespace namid::train
