// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "namid/eval/evaluate.h"
#include "namid/eval/ledger.h"
#include "namid/eval/runner.h"

namespace namid::eval {

/// SHA-256 of name, class count, input shape, normalisation, and names, shapes and bytes of the
/// state. A callable without state is told by its logits on the first compute batch instead; with
/// verdict_draws, where these are others each time, by its name and shape alone.
std::string model_sha256(const Bench& bench);

/// What a ledger is computed from, whatever the order of the data: "model", "data" (SHA-256 of
/// images and labels in order of their ids), "ids", "seed", "batch" ("padded 128" or "fast"),
/// "suite", "combine", "attacks" (names in order), "attack <name>" with its options, and where they
/// are not at their defaults "afterwards" (of attacks that others decide on), "shard", "surrogate"
/// (hash of the model that the attacks see), "engine" (kernels of what they see), "precision" (of
/// what they see), "verdict_draws", "gallery"; and the environment:
/// "environment version", "environment torch", ...
Ledger::Identity identity_of(const Bench& bench, const Suite& suite,
                             const EvaluateOptions& options);

/// The compute batch of a ledger's "batch" entry; none where its batches were not padded.
std::optional<int> padded_size(const Ledger::Identity& identity);

}  // namespace namid::eval
