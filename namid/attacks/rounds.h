// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// An attack is a sequence of rounds: restarts, or targets times restarts. A round attacks the rows
/// that no earlier round fooled, from a start drawn at epoch = context.epoch · rounds + round.
struct Round {
  int index = 0;
  std::uint32_t epoch = 0;
  at::Tensor x, y;  ///< the rows still to be fooled
  SampleIds ids;
};

/// One round: → result for the round's rows (success and loss defined).
using RoundFunction = std::function<AttackResult(const Round&)>;

/// Runs the rounds and keeps, per row, the point that fools, else the one of the highest loss. The
/// first round takes every row. With context.round only that round is run, on every row. Ids are
/// context.ids, or hashes of the images. OptionError for a round that does not exist.
AttackResult run_rounds(std::string_view where, const at::Tensor& x, const at::Tensor& y,
                        int rounds, const Context& context, const RoundFunction& attack);

/// The ids at `rows`: int64 (M), any device.
SampleIds pick(const SampleIds& ids, const at::Tensor& rows);

}  // namespace namid::attacks
