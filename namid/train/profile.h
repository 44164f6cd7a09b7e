// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/pgd.h"
#include "namid/defenses/registry.h"
#include "namid/train/options.h"

namespace namid::train {

// The `reference` profile: defaults of the released code where they differ from the paper's, for
// everything that its scripts fix. Single options can be set afterwards. With Profile::paper
// nothing is changed.

/// Estimators. Both scripts: Adam 1e-2, selection by batch-softmax, mask by multiplication, the
/// last, smaller batch used, a BatchNorm update per term, start x + 0.001 N(0,1), 20 attack steps,
/// in L2 the box before the ball. `selected` (in place of Eq. 5: Contrast::cosine): batch 400, 25
/// epochs, times 0.1 from epochs 11 and 21, L2, epsilon 0.5, step 2 epsilon / steps. `separate`
/// (Eq. 4, filtered): batch 200, 50 epochs, times 0.5 from epochs 21, 31 and 41, L-inf, epsilon
/// 0.031, step 0.007.
void apply_profile(EstimateOptions& options, attacks::PgdOptions& attack);

/// OptionError where Profile::reference is asked for what the released code does not have (other
/// objectives), or for another norm with the radius of the profile's own.
void check_profile(const EstimateOptions& options, const attacks::PgdOptions& attack);

/// What a profile changes besides the training's own options.
struct TrainSettings {
  attacks::PgdOptions& attack;
  defenses::TradesOptions& trades;
  defenses::NamidOptions& namid;
};
/// Training. All: batch 256, no gradient clipping, BatchNorm updated as by the released code's
/// forwards, attack of step 0.007 from x + 0.001 N(0,1) (L2: epsilon 0.5, step 2 epsilon / steps,
/// the box before the ball); TRADES with beta 1. NAMID: 40 attack steps; 2 epochs of natural
/// training first, then 100 with the schedule counted from there (102 epochs, milestones 77 and
/// 92); lambda 0, selection by batch-softmax, mask by multiplication, MI terms from the first epoch
/// and on partial batches; estimators of another norm are taken (its own are of L2); weights chosen
/// by the test images, attacked in 40 steps. The model is as given (the released code trains a
/// WRN-34-10). Not followed: in L2 it replaces a zero gradient by noise.
void apply_profile(TrainOptions& options, const TrainSettings& settings);

/// OptionError where Profile::reference is asked for a defence that the released code does not
/// have.
void check_profile(const TrainOptions& options, const attacks::PgdOptions& attack);

}  // namespace namid::train
