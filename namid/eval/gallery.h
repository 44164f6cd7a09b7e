// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/eval/evaluation.h"
#include "namid/eval/ledger.h"

namespace namid::eval {

/// Writes gallery.safetensors into the job's folder from the images the ledger kept: the successes
/// of the lowest ids (each by the first attack that broke it), then survivors of the last attack,
/// up to the gallery's size. Nothing kept, no file. Tensors: x, x_adv float32 (K, C, H, W); y,
/// prediction, prediction_adv int64 (K); success uint8 (K). Metadata: "attack" (one name per image,
/// comma-separated; a single name if all are one's), "norm", "epsilon", "ids" (comma-separated),
/// "class_names" (JSON).
void write_gallery(const Evaluation& job, const Suite& suite, const Ledger& ledger);

}  // namespace namid::eval
