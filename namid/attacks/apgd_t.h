// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "namid/attacks/attack.h"
#include "namid/attacks/compat.h"
#include "namid/attacks/projection.h"

namespace namid::attacks {

/// Targeted Auto-PGD: apgd.h with the targeted DLR loss (losses.h) towards one class after the
/// other, Croce & Hein 2020 (arXiv:2003.01690), Sec. 4.2 and 5. Any misclassification counts.
struct ApgdTOptions {
  Budget budget = {};
  int steps = 100;
  int targets = 9;
  int restarts = 1;
  int eot = 1;
  double rho = 0.75;
  Automatic<bool> larger_epsilon = {};
  Automatic<L2Order> l2_order = {};
  Compat compat = Compat::none;
  static constexpr auto fields() {
    return std::tuple{
        field("budget", &ApgdTOptions::budget, ""),
        field("steps", &ApgdTOptions::steps, "gradient steps", at_least(1)),
        field("targets", &ApgdTOptions::targets,
              "classes to aim at, the likeliest first; at most all but the own", at_least(1)),
        field("restarts", &ApgdTOptions::restarts,
              "runs per class from fresh starts, each on what is not fooled yet", at_least(1)),
        field("eot", &ApgdTOptions::eot,
              "evaluations averaged at each point, for models that draw random numbers",
              at_least(1)),
        field("rho", &ApgdTOptions::rho,
              "the step is halved where at most this share of the steps raised the loss",
              between(0, 1)),
        field("larger_epsilon", &ApgdTOptions::larger_epsilon,
              "first climb in balls of 3 and 2 epsilon (L1 only); auto: in L1, from 3 steps on"),
        field("l2_order", &ApgdTOptions::l2_order,
              "L2: meet ball or box first; auto: the box, with compat the ball"),
        field("compat", &ApgdTOptions::compat,
              "none, or autoattack: the oddities of the published code too")};
  }
};
NAMID_CHECK_FIELDS(ApgdTOptions);

/// Rounds (rounds.h) that the attack takes on a model of that many classes: target by target, each
/// with its restarts.
constexpr int rounds(const ApgdTOptions& options, std::int64_t classes) {
  return static_cast<int>(std::min<std::int64_t>(options.targets, classes - 1)) * options.restarts;
}

/// As apgd(), with rounds of its own. The target of round r is the class of rank r / restarts
/// among the rivals of y at x (rivals.h). At least 4 classes; with 2 or 3 (OptionError) apgd-ce
/// leaves no class out. Passes per sample and round: those of apgd() and `eot` forwards of x for
/// the ranking. compat = autoattack: as in apgd.h; the ranking is that of one draw.
AttackResult apgd_t(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                    const ApgdTOptions& options = {}, const Context& context = {});

}  // namespace namid::attacks
