// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>

#include "namid/attacks/registry.h"
#include "namid/attacks/targets.h"
#include "namid/core/options.h"
#include "namid/data/dataset.h"
#include "namid/eval/adversarial_set.h"
#include "namid/models/classifier.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// How an adversarial set is made; what makes it is the attack and its options.
struct AttackSetOptions {
  std::uint64_t seed = 0;
  int compute_batch = 250;
  double confidence = 0.95;
  Automatic<int> target_class = {};
  attacks::Targets targets = attacks::Targets::given;
  static constexpr auto fields() {
    using T = AttackSetOptions;
    return std::tuple{
        field("seed", &T::seed, "seed of every draw"),
        field("compute_batch", &T::compute_batch,
              "images per forward pass; the last batch is padded to it", at_least(1)),
        field("confidence", &T::confidence, "level of the Clopper-Pearson intervals",
              between(0, 1)),
        field("target_class", &T::target_class,
              "class that a targeted attack moves to, images of it are left out; auto: the class "
              "after the label",
              at_least(0)),
        field(
            "targets", &T::targets,
            "where each image is moved to: given (target_class, where the attack is targeted), the "
            "class least likely at the natural image, a random one, or all in turn")};
  }
};
NAMID_CHECK_FIELDS(AttackSetOptions);

/// One attack on one data set.
struct AttackJob {
  const models::Classifier& model;
  const data::Dataset& dataset;
  const attacks::NamedAttack& attack;
  AttackSetOptions options = {};
  const run::StopToken* stop = nullptr;
  /// The attack sees this model instead, `model` judges (attacks/transfer.h).
  const models::Classifier* surrogate = nullptr;
  /// The model compiled (engine/compile.h), shown to the attack; `model` judges.
  const models::Classifier* compiled = nullptr;
  /// What the attack sees, model or surrogate, in bfloat16 (models/bfloat16.h), shown to it
  /// instead. Without a surrogate, images that are not fooled and near the boundary are attacked
  /// again in float32: the smallest margin in float32 of the natural image and of what the rounds
  /// returned is below `near`, or a claim was refuted (rescue.h). Targeted: the margin is that of
  /// the largest other logit over the target's, of what was returned on the way to it.
  const models::Classifier* bfloat16 = nullptr;
  double near = 0;
  /// Called before a stage and after each batch: what is done ("natural", "pgd", "pgd, round 2"),
  /// samples of all.
  std::function<void(const std::string& stage, std::int64_t done, std::int64_t total)> progress =
      {};
};

/// The images, and what was found:
///   {"n", "attack", "targeted", "targets", "natural": A, "robust": A, "fooled", "refuted",
///   "eight_bit",
///    "median_norms": {"linf", "l2", "l1", "l0"}, "passes": {"forwards", "backwards"}, "seconds"}
/// with A as in evaluate.h. "fooled": verified successes, natural errors among them, "eight_bit":
/// of these also as 8-bit images, "refuted": successes of the attack that the verifier did not
/// confirm, "median_norms": over the images that were right before and are fooled, null if there
/// are none, "passes": those the images' own results took. "robust" is missing for a targeted
/// attack, "targets" for any other. "rescue": {"near", "attacked", "broken"} of attacks in
/// bfloat16, which the set's options name too. With a surrogate "surrogate": {"name", "sha256"};
/// the passes are then its, and the set's options name its weights.
struct AttackedSet {
  AdversarialSet set;
  nlohmann::json result;
};

/// Attacks every image, round by round, survivors packed into full padded batches: no result moves
/// with the other images. A natural error stays as it is and counts as fooled (not where the attack
/// is targeted: all images are attacked then, but those of the target class). Targets other than
/// `given` switch targeted on (targets.h); with `all` an image that reached one class is done.
/// success is true in verified rows alone; other rows hold the point of the highest loss. Draws
/// belong to (seed, "test/<attack>", sample id). OptionError for wrong options, and for data that
/// do not fit the model; NumericError for an image or logits that are not finite.
AttackedSet attack_dataset(const AttackJob& job);

/// The attack's options as text: "norm=linf epsilon=0.1 steps=10".
std::string options_text(attacks::NamedAttack attack);

}  // namespace namid::eval
