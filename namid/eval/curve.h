// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "namid/core/options.h"
#include "namid/eval/curve_data.h"
#include "namid/eval/evaluate.h"
#include "namid/eval/security_curve.h"
#include "namid/eval/suite.h"

namespace namid::eval {

/// What a security curve is made of: searches of the smallest norm and checks at fixed radii, a
/// sweep of fixed budgets, or runs that are there.
struct CurveOptions {
  std::string curve_attacks = "auto";
  std::string anchors = "auto";
  std::string epsilons = "";
  std::string from = "";
  static constexpr auto fields() {
    using T = CurveOptions;
    return std::tuple{
        field("curve_attacks", &T::curve_attacks,
              "searches of the smallest norm, e.g. 'fmn(steps=200), fab'; auto: fmn, deepfool and "
              "fab, in l2 ddn too, as far as they know the norm"),
        field("anchors", &T::anchors,
              "three or more radii at which apgd-t (below four classes apgd-ce) checks the curve, "
              "e.g. 0.1,0.2,0.3; auto: where it has fallen by 1/4, 1/2 and 3/4"),
        field("epsilons", &T::epsilons,
              "a sweep of fixed budgets instead, e.g. 2/255,4/255,8/255, by --suite"),
        field(
            "from", &T::from,
            "run folders or ledgers, with commas, whose rows are the curve; nothing is attacked")};
  }
};
NAMID_CHECK_FIELDS(CurveOptions);

/// The smallest radius of a ball that holds the box [0,1]^D around each of its points: linf 1, l2
/// √D, l1 D. As budget of a search it leaves the search without a bound.
double box_radius(attacks::Norm norm, const std::vector<std::int64_t>& shape);

/// Radii of "0.1, 8/255", ascending. OptionError, naming `option`, for fewer than `least`, for one
/// that stands twice, is not a number above 0 or larger than `largest`.
std::vector<double> parse_radii(const std::string& text, const std::string& option,
                                std::size_t least, double largest);

/// The searches (each on every image, without a bound), then an attack per anchor on those images
/// whose smallest norm so far is above its radius, so that a success lowers it: "apgd-t@0.3".
/// Anchors "auto" are SecurityCurve::check_points of the searches. OptionError for a norm other
/// than linf, l2, l1, an attack that is no search, or radii as parse_radii.
Suite search_suite(const CurveOptions& options, attacks::Norm norm,
                   const std::vector<std::int64_t>& shape, std::int64_t classes);

/// The suite at each epsilon, smallest first, on what is not broken yet: "apgd-ce@0.01". A sample
/// broken at a budget counts as broken at all larger ones.
Suite sweep_suite(const SuiteOptions& suite, attacks::Norm norm,
                  const std::vector<double>& epsilons);

/// OptionError for shards, sampled stages and stopping rules: a curve needs every image.
void check_curve(const EvaluateOptions& options);

/// The rows of a run of `search_suite` or `sweep_suite` with their budgets.
CurveData data_of(const Ledger& ledger, const Suite& suite);

/// The "curve" of a result:
///   {"kind": "searches" | "sweep", "norm", "n", "natural",
///    "points": [{"epsilon", "robust", "lower", "upper"}] (at most 300; of a sweep 0 and its
///    radii), "reach", "censored", "median", "quantiles": [{"share", "epsilon", "lower", "upper"}],
///    "band": {"method", "level", "half_width"},
///    "anchors": [{"epsilon", "attack", "robust", "lower", "upper", "curve", "disagreement",
///                 "attacked", "broken"}],
///    "largest_disagreement": {"epsilon", "disagreement"} or null,
///    "attacks": [{"name", "epsilon", "attacked", "broken", "refuted", "best_for", "median",
///                 "passes": {"forwards", "backwards"}, "seconds"}]}
/// The points are those of all attacks together. Of an anchor, "curve" is the robust share that the
/// searches alone leave at its radius, "robust" what is left after the anchors up to it (interval:
/// Clopper-Pearson, of that radius alone), "disagreement" the difference, never negative: the part
/// of the images on which the searches missed a perturbation. "best_for": images for which no other
/// attack found a smaller norm (the first of several). "median" of an attack: over the images it
/// attacked, its failures infinite. Quantities beyond `reach` are null.
nlohmann::json curve_json(const CurveData& data, double confidence);

/// All steps of the curve as CSV: epsilon,robust,lower,upper.
std::string curve_csv(const CurveData& data, double confidence);

}  // namespace namid::eval
