// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "namid/eval/ledger.h"
#include "namid/eval/runner.h"

namespace namid::eval {

/// SHA-256 of name, class count, input shape, normalisation, and names, shapes and bytes of the
/// state. A callable without state is told by its logits on the first compute batch instead.
std::string model_sha256(const Bench& bench);

/// What a ledger of these attacks is computed from: "model", "data" (SHA-256 of images and labels),
/// "ids" (of the sample ids in order), "seed", "compute_batch", "gallery", and
/// "attack <name>" with its options.
Ledger::Identity identity_of(const Bench& bench, std::span<const AttackEntry> attacks, int gallery);

}  // namespace namid::eval
