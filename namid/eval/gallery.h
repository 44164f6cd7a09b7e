// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/eval/evaluation.h"
#include "namid/eval/ledger.h"

namespace namid::eval {

/// Decides which adversarial images are kept while they pass by: the first `size` successes, and
/// as many survivors, should there be too few successes in the end.
class GalleryQuota {
 public:
  explicit GalleryQuota(std::int64_t size) : successes_(size), survivors_(size) {}
  bool take(bool success) { return (success ? successes_ : survivors_)-- > 0; }

 private:
  std::int64_t successes_, survivors_;
};

/// Writes gallery.safetensors into the job's folder from the images the ledger kept: the first
/// successes in the data set's order, then survivors up to the gallery's size. Nothing kept, no
/// file. Tensors: x, x_adv float32 (K, C, H, W); y, prediction, prediction_adv int64 (K); success
/// uint8 (K). Metadata: "attack", "norm", "epsilon", "ids" (comma-separated), "class_names" (JSON).
void write_gallery(const Evaluation& job, const AttackEntry& attack, const Ledger& ledger);

}  // namespace namid::eval
