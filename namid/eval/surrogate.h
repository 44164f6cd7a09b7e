// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "namid/eval/suite.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// The suite as a transfer attack (attacks/transfer.h): every attack sees the surrogate alone, the
/// evaluated model judges. Attacks are called "transfer:<name>", the ledger names the surrogate's
/// hash and refuses another, and passes are the surrogate's. Denominators stay all images.
Suite through_surrogate(Suite suite, const models::Classifier& surrogate);

/// The same with a surrogate in bfloat16 (models/bfloat16.h). Nothing is attacked again in float32:
/// the model judges what the surrogate makes, so that no success is lost to a judgement in
/// bfloat16, and a second image would be one attempt more than float32 has.
Suite through_surrogate_in_bfloat16(Suite suite, const models::Classifier& surrogate);

/// {"name", "sha256"} of a model, as records have it: SHA-256 of the weights, empty where
/// there are none.
nlohmann::json surrogate_json(const models::Classifier& surrogate);

}  // namespace namid::eval
