// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "namid/attacks/fab.h"

namespace namid::attacks {

/// FAB-T, the targeted form of FAB (fab.h) in AutoAttack, Croce & Hein 2020 (arXiv:2003.01690,
/// croce2020reliable), Sec. 5 and App.: a round follows the boundary between y and one class
/// alone, the r-th most likely one of the clean image with y set apart, r = 2, 3, ... One backward
/// per step in place of K − 1.
struct FabTOptions {
  Budget budget = {};
  int targets = 9;
  int steps = 100;
  int restarts = 1;
  double alpha_max = 0.1;
  double eta = 1.05;
  double beta = 0.9;
  bool smallest = false;
  Compat compat = Compat::none;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &FabTOptions::budget, ""),
        field("targets", &FabTOptions::targets,
              "most likely other classes that are tried, one after the other", at_least(1)),
        field("steps", &FabTOptions::steps, "steps to the linearised boundary", at_least(1)),
        field("restarts", &FabTOptions::restarts,
              "runs per target, the first from x, the others from a random point at epsilon / 2",
              at_least(1)),
        field("alpha_max", &FabTOptions::alpha_max, "largest pull towards x", between(0, 1)),
        field("eta", &FabTOptions::eta, "factor by which a step overshoots the boundary",
              at_least(1)),
        field("beta", &FabTOptions::beta, "share of the perturbation kept after a success",
              between(0, 1)),
        field("smallest", &FabTOptions::smallest,
              "every target and restart on every sample, the nearest point counts; else only on "
              "those that are not fooled within epsilon yet"),
        field("compat", &FabTOptions::compat,
              "repeat the oddities of the AutoAttack code of 2023")};
  }
};
NAMID_CHECK_FIELDS(FabTOptions);

/// Targets on a model of that many classes: there are no more than the other classes.
constexpr int targets(const FabTOptions& options, std::int64_t classes) {
  return static_cast<int>(std::min<std::int64_t>(options.targets, classes - 1));
}

/// Rounds (rounds.h): targets times restarts, all restarts of a target before the next.
constexpr int rounds(const FabTOptions& options, std::int64_t classes) {
  return targets(options, classes) * options.restarts;
}

/// As `fab`, whose header holds results, restarts, deviations and errors. Success is any class but
/// y. Passes per round and correctly classified sample: 2 steps + 2 forwards, `steps` backwards.
/// With two classes or one target left the attack is `fab` along that boundary.
AttackResult fab_t(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                   const FabTOptions& options = {}, const Context& context = {});

/// As `fab_minimum`, over all targets and restarts.
AttackResult fab_t_minimum(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                           const FabTOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
