// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/data/dataset.h"
#include "namid/eval/suite.h"
#include "namid/mi/estimator.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// What the adaptive attacks on NAMID know and climb. A defence is judged by an attacker who knows
/// it (tramer2020adaptive), so these attack its L_mi beside the cross-entropy.
struct AdaptiveOptions {
  std::string estimators;
  double alpha = 5;
  double lambda = 0.1;
  int steps = 40;
  int bank = 128;
  static constexpr auto fields() {
    using T = AdaptiveOptions;
    return std::tuple{
        field(
            "estimators", &T::estimators,
            "estimator run or file that the defence was trained with: adds attacks on its scores; "
            "empty: none"),
        field("alpha", &T::alpha, "weight of L_mi in the attacked loss", at_least(0)),
        field("lambda", &T::lambda, "weight of the score difference in L_mi", at_least(0)),
        field("steps", &T::steps, "gradient steps of each of these attacks", at_least(1)),
        field("bank", &T::bank, "images that serve every sample as negatives", at_least(2))};
  }
};
NAMID_CHECK_FIELDS(AdaptiveOptions);

/// all: CE + α L_mi; natural_score: −MI_n(x_adv), the natural score is driven down;
/// adversarial_score: MI_a(x_adv), the adversarial score is driven up.
enum class AdaptiveLoss { all, natural_score, adversarial_score };

/// The negatives of every sample, whatever its batch: local features (B, U, K) of bank images x and
/// of their perturbations x_adv − x.
struct ReferenceBank {
  at::Tensor natural, adversarial;
  SampleIds ids;
};

/// Rows of the bank: the first `size` (at most all) of a permutation of the ids by the seed,
/// whatever the order of the data. OptionError for fewer than two images.
std::vector<std::int64_t> bank_rows(const data::Dataset& dataset, int size, std::uint64_t seed);

/// x_adv by PGD-10 within `budget`, drawn by sample id; nets and model are used in eval mode.
ReferenceBank make_bank(const models::Classifier& model, const mi::EstimatorPair& estimators,
                        const data::Batch& images, const attacks::Budget& budget,
                        std::uint64_t seed);

/// MI of Eq. 8 per sample, in nats, each (N): mean over locations of `mi::bank_score`.
struct AdaptiveScores {
  at::Tensor natural_on_natural, natural_on_adversarial;          ///< E_n(h(x)), E_n(h(x_adv))
  at::Tensor adversarial_on_natural, adversarial_on_adversarial;  ///< E_a(h(x)), E_a(h(x_adv))
};

/// A batch under attack: what does not change from step to step.
struct AdaptiveBatch {
  at::Tensor x;
  at::Tensor output_natural;  ///< the model's output on x that the global nets read
  at::Tensor own;             ///< mi::same_samples of the batch and the bank
};

/// Differentiable in x_adv through both of its uses, the model's output and E_a's local input
/// x_adv − x. Each row depends on its own sample alone.
AdaptiveScores adaptive_scores(const mi::EstimatorPair& estimators, const ReferenceBank& bank,
                               const AdaptiveBatch& batch, const at::Tensor& x_adv,
                               const at::Tensor& output_adversarial);

/// Loss per sample (N) from the scores and CE(h(x_adv), y). L_mi of one sample has no cosine over
/// the batch, so Eq. 8 is taken with absolute differences (Cosine::l1):
///   L_mi = |MI_n(x_adv) − MI_n(x)| + |MI_a(x_adv) − MI_a(x)| + λ [MI_a(x_adv) − MI_n(x_adv)]
at::Tensor adaptive_loss(AdaptiveLoss kind, const AdaptiveScores& scores,
                         const at::Tensor& cross_entropy, const AdaptiveOptions& options);

/// The attacks, to be appended to a suite: adaptive-pgd and adaptive-apgd (all), adaptive-natural
/// and adaptive-adversarial (APGD on one score). The bank is drawn from `dataset` and made at the
/// first batch; `dataset` must outlive the attacks. The estimators must be on the model's device;
/// copies are frozen. Each attack takes the passes of its PGD or APGD, one forward of x, and where
/// the estimators read an internal layer as many again. OptionError for estimators without both
/// pairs of nets.
std::vector<AttackEntry> adaptive_attacks(const mi::EstimatorPair& estimators,
                                          const data::Dataset& dataset,
                                          const attacks::Budget& budget, std::uint64_t seed,
                                          const AdaptiveOptions& options);

}  // namespace namid::eval

namespace namid {
template <>
struct EnumNames<eval::AdaptiveLoss> {
  static constexpr std::array kNames{"all", "natural_score", "adversarial_score"};
};
}  // namespace namid
