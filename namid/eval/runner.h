// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "namid/data/dataset.h"
#include "namid/eval/compute_batch.h"
#include "namid/eval/ledger.h"
#include "namid/eval/suite.h"
#include "namid/models/classifier.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// What every batch of an evaluation shares.
struct Bench {
  const models::Classifier& model;
  const data::Dataset& dataset;
  std::uint64_t seed = 0;
  std::int64_t compute_batch = 1;
  const run::StopToken* stop = nullptr;
  /// Every pass has compute_batch rows. false: as many as there are, and rows that are done may
  /// leave an attack's batch.
  bool padded = true;
  int verdict_draws = 1;  ///< passes that vote on each verdict, for models that draw random numbers
};

/// Natural predictions of up to `compute_batch` rows, in one batch. NumericError names the first
/// sample whose logits are not finite.
std::vector<SampleRow> predict(const Bench& bench, Rows rows);

/// Attacked rows: the ledger's rows and the adversarial images, float32 on the CPU.
struct Attacked {
  std::vector<AttemptRow> attempts;
  at::Tensor x_adv;
};

/// Attacks up to `compute_batch` rows in one batch, in one round of the attack or in all, and
/// verifies what comes back: the attack's word counts for nothing but `refuted`. Draws belong to
/// sample ids. Passes are those that the sample's own result took; seconds its share of the batch.
/// NumericError if an image or its logits are not finite: such a sample is neither broken nor
/// robust.
Attacked attack_rows(const Bench& bench, const AttackEntry& attack, Rows rows,
                     std::optional<int> round = {});

}  // namespace namid::eval
