// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/eval/compute_batch.h"
#include "namid/eval/ledger.h"
#include "namid/models/classifier.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// An attack as the runner sees it.
struct AttackEntry {
  using Function =
      std::function<attacks::AttackResult(const models::Classifier&, const at::Tensor& x,
                                          const at::Tensor& y, const attacks::Context&)>;
  std::string name;  ///< in the ledger; the random stream is "test/<name>"
  attacks::Budget budget;
  std::string options;  ///< as text; ledgers of other options are refused
  Function run;
};

/// "pgd-40" for 40 steps; norm, epsilon and all else are in its options. OptionError for options
/// out of range and for a targeted attack, which says nothing about accuracy.
AttackEntry pgd_entry(const attacks::PgdOptions& options);

/// What every batch of an evaluation shares.
struct Bench {
  const models::Classifier& model;
  const data::Dataset& dataset;
  std::uint64_t seed = 0;
  std::int64_t compute_batch = 1;
  const run::StopToken* stop = nullptr;
};

/// Natural predictions of up to `compute_batch` rows, in one padded batch. NumericError names the
/// first sample whose logits are not finite.
std::vector<SampleRow> predict(const Bench& bench, Rows rows);

/// Attacked rows: the ledger's rows and the adversarial images, float32 on the CPU.
struct Attacked {
  std::vector<AttemptRow> attempts;
  at::Tensor x_adv;
};

/// Attacks up to `compute_batch` rows in one padded batch and verifies what comes back: the
/// attack's word counts for nothing but `refuted`. Draws belong to sample ids. Passes and seconds
/// of a sample are its share of the batch (passes rounded up). NumericError if an image or its
/// logits are not finite: such a sample is neither broken nor robust.
Attacked attack_rows(const Bench& bench, const AttackEntry& attack, Rows rows);

}  // namespace namid::eval
