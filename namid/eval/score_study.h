// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "namid/data/dataset.h"
#include "namid/eval/suite.h"
#include "namid/mi/estimator.h"
#include "namid/mi/selection.h"
#include "namid/models/classifier.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// Scores of single samples in nats (−ℓ, mean over locations) under the names
///   natural_on_natural, natural_on_adversarial          E_n: I(x; h(x)), I(x; h(x_adv))
///   adversarial_on_natural, adversarial_on_adversarial  E_a: I(d; h(x)), I(d; h(x_adv)), d = x_adv
///   − x image_on_adversarial                                E_n: I(x_adv; h(x_adv))
/// as the paper writes them; they are Donsker-Varadhan scores, not mutual information. Estimators
/// of a single pair of nets have those of E_n alone.
using SampleScores = std::map<std::string, std::vector<double>>;

/// One attack's images seen by one estimator pair.
struct AttackScores {
  std::string attack;
  SampleScores scores;
  std::vector<std::uint8_t> right;     ///< the natural prediction is right
  std::vector<std::uint8_t> selected;  ///< Eq. 6: right, and wrong on x_adv
  std::vector<std::int64_t> labels;
};

/// The offset rule of the paper's Fig. 2 and 4: the smallest value of a family becomes 0, then each
/// list's mean. sem: standard error of that mean (of samples; not of seeds). An empty list is left
/// out.
struct OffsetMean {
  double mean = 0, sem = 0;
};
std::map<std::string, OffsetMean> offset_means(const SampleScores& family);

struct StudyOptions {
  std::uint64_t seed = 0;
  int batch_size = 250;
  mi::SelectionRule selection = mi::SelectionRule::argmax;
  mi::DvMask dv_mask = mi::DvMask::exclude;
  static constexpr auto fields() {
    using T = StudyOptions;
    return std::tuple{
        field("seed", &T::seed, "seed of every draw"),
        field("batch_size", &T::batch_size,
              "images scored together: each is the others' negative, so scores move with it; a "
              "last, smaller batch is left out",
              at_least(2)),
        field("selection", &T::selection, "label rule of Eq. 6"),
        field("dv_mask", &T::dv_mask, "how a sample is kept out of its own negatives")};
  }
};
NAMID_CHECK_FIELDS(StudyOptions);

/// Adversarial images of every full batch, in file order (N, C, H, W), for a suite: of each sample
/// what the first attack that broke it found, or where none did, what the first attack did.
at::Tensor study_images(const models::Classifier& model, const data::Dataset& dataset,
                        const Suite& suite, const StudyOptions& options,
                        const run::StopToken* stop = nullptr);

/// Scores of those images, model and estimators in eval mode, without gradient.
AttackScores score_images(const models::Classifier& model, const mi::EstimatorPair& estimators,
                          const data::Dataset& dataset, const at::Tensor& x_adv,
                          const StudyOptions& options);

/// The report of one estimator pair over several attacks:
///   {"n", "attacks": [{"name", "right", "selected", "scores": {q: {"mean", "sem"}},
///     "selected_scores": {...}, "per_class": [{"class", "n", "selected", q: mean}]}],
///    "fig2": {attack: {q: {"mean", "sem"}}}  offset over natural_on_natural, image_on_adversarial,
///             natural_on_adversarial of all attacks, all samples,
///    "fig4": {attack: {...}}  selected samples, offset over the two scores of E_n and, apart, over
///             those of E_a}.
nlohmann::json study_report(const std::vector<AttackScores>& attacks,
                            const std::vector<std::string>& class_names);

}  // namespace namid::eval
