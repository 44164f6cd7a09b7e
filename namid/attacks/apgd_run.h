// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "namid/attacks/apgd_steps.h"
#include "namid/attacks/draws.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/rounds.h"

namespace namid::attacks {

/// What apgd() and apgd_t() do in each round; the meaning is that of their options.
struct ApgdPlan {
  ApgdStage last;  ///< the whole run, or with larger_epsilon all its stages' steps
  bool larger_epsilon = false;
  bool targeted = false;
};

/// OptionError where larger ε is asked for but is not to be had.
bool wants_larger_epsilon(const Automatic<bool>& choice, const Budget& budget, int steps,
                          std::string_view where);

/// The stages in turn: one, or those of 3ε, 2ε and ε.
std::vector<ApgdStage> apgd_stages(const ApgdPlan& plan);

/// The noise (N, ...) of a start. In reference order the unused draws of larger ε follow it.
at::Tensor apgd_noise(const at::Tensor& x, const ApgdPlan& plan, const Draws& draws);

/// The start for that noise, inside ball and box.
at::Tensor apgd_start(const at::Tensor& x, const at::Tensor& noise, const ApgdStage& stage);

/// One run from apgd_start(noise). `surface` belongs to the round's rows.
AttackResult apgd_run(LossSurface& surface, const Round& round, const ApgdPlan& plan,
                      const at::Tensor& noise, const Context& context);

}  // namespace namid::attacks
