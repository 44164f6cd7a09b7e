// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/eval/ledger.h"

namespace namid::eval {

/// What one attack found, all its rounds together.
struct AttackRadii {
  std::string name;
  double epsilon = 0;   ///< its budget
  bool search = false;  ///< looks for the smallest norm (is_search) of every image
  std::int64_t attacked = 0, refuted = 0, forwards = 0, backwards = 0;
  double seconds = 0;
  std::map<std::uint64_t, double> radii;  ///< of broken samples: min(smallest norm, epsilon)
};

/// What ledgers say about smallest norms.
struct CurveData {
  attacks::Norm norm = attacks::Norm::linf;
  std::map<std::uint64_t, bool> natural;  ///< sample → classified correctly
  std::vector<AttackRadii> attacks;       ///< in the order in which they ran

  /// One radius per image, in order of the ids: 0 for a natural error, infinity where none of the
  /// attacks chosen broke it.
  std::vector<double> radii(const std::function<bool(const AttackRadii&)>& chosen) const;
  /// Largest radius tried.
  double reach() const;
  bool has_search() const;
};

/// Whether an attack, or a transfer of it, looks for the smallest norm: fmn, deepfool, ddn, cw,
/// fab, fab-t. `name`: as in a ledger. "fab-t@0.3", at a fixed epsilon of 0.3, does not.
bool is_search(std::string_view name);

/// The rows of these attacks, of budgets of `norm`. Ledgers count a norm up to the verifier's
/// tolerance beyond epsilon; the radius is then epsilon.
struct CurveAttack {
  std::string name;
  double epsilon = 0;
};
CurveData curve_data(const Ledger& ledger, attacks::Norm norm,
                     const std::vector<CurveAttack>& attacks);

/// A ledger to be read, and the name by which errors call it.
struct NamedLedger {
  std::string name;
  Ledger ledger;
};

/// Several evaluations of the same model on the same images in the same norm as one. Norm and
/// budgets are read from the ledgers. DataError, naming the run, for ledgers of another model, of
/// other data or of another norm than the first, for a shard, for attacks of unknown budget, for
/// an unfinished run, and where no search tried every correctly classified image (with the command
/// that makes such a run).
CurveData joined_curve_data(const std::vector<NamedLedger>& ledgers);

}  // namespace namid::eval
