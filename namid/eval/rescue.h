// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "namid/eval/suite.h"
#include "namid/models/classifier.h"

namespace namid::eval {

class Ledger;

/// The suite, its attacks shown `bfloat16` (models/bfloat16.h) instead of the model, which goes on
/// to predict and to judge in float32: a success that holds in bfloat16 alone is refuted. What that
/// can lose is attacked again: after its R rounds each attack has R more, the same ones with the
/// same draws, that see the model in float32 and take survivors near the boundary alone. A survivor
/// is near if the smallest z_y − max_{c≠y} z_c of its natural image and of the points returned by
/// the attacks so far (Combine::each: by this attack), in float32, is below `near`, or if one of
/// their claims was refuted. In the ledger these are rounds R to 2R − 1.
///
/// Attack by attack, not after the whole suite: an attack's column holds what the attack can do,
/// and stopping rules, shards and resumed runs need nothing more. A second attempt can also break
/// what the first in float32 would have missed: the accuracy stays an upper bound.
/// To be applied before through_engine, whose compiled model the further rounds then see.
/// OptionError for attacks that repeat a reference's draws over batches (compat).
Suite through_bfloat16(Suite suite, const models::Classifier& bfloat16, double near);

/// {"near", "attacked", "broken"}: images that any attack took again, and of these the ones that
/// were broken then; null for a suite that attacks none again.
nlohmann::json rescue_json(const Ledger& ledger, const Suite& suite);

}  // namespace namid::eval
