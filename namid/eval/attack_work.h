// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <vector>

#include "namid/eval/attack_set.h"

namespace namid::eval {

/// What is known of one image so far.
struct Standing {
  bool correct = false;    ///< before the attack
  bool fooled = false;     ///< verified
  bool eight_bit = false;  ///< in 8 bits too
  bool refuted = false;
  bool attacked = false;
  double loss = -std::numeric_limits<double>::infinity();
  double linf = 0, l2 = 0, l1 = 0, l0 = 0;
  std::int64_t forwards = 0, backwards = 0;
  std::int64_t target = -1;  ///< of the image that is kept, of a targeted attack
  double margin = std::numeric_limits<double>::infinity();  ///< smallest so far, float32
  bool near = false;                                        ///< to be attacked again
  bool attacked_again = false;                              ///< in float32
  bool rescued = false;                                     ///< fooled by that
};

/// The data set's rows that are in the set, and how they stand.
struct Work {
  const AttackJob& job;
  attacks::NamedAttack attack;
  attacks::Budget budget;
  bool targeted;
  std::vector<std::int64_t> rows;       ///< in the data set
  std::vector<std::int64_t> targets;    ///< by row, of this turn; empty if untargeted
  std::vector<Standing> standing = {};  ///< by row of the data set
  bool again = false;                   ///< rounds are in float32, of the rows marked near
  at::Tensor x_adv = {};                ///< by row of the data set, CPU
  at::Tensor plan = {};                 ///< the same, of a Wasserstein attack once it has been run
};

/// Which rows are attacked, towards what. OptionError for a target class that cannot be.
Work plan(const AttackJob& job);

/// Natural predictions; every row starts with its natural image.
void look_at_natural_images(Work& work);

/// Every row's target becomes the class after it, past the label: the next turn of all classes.
void aim_at_next(Work& work);

/// Marks the rows that are not fooled and near the boundary (AttackJob::bfloat16).
void mark_near(Work& work);

/// One round on the rows that are not fooled yet.
void run_round(Work& work, int round, int rounds);

}  // namespace namid::eval
