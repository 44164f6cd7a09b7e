// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"
#include "namid/eval/ledger.h"

namespace namid::eval {

/// The verified norm of an attempt; 0 where the ledger has none of that kind.
inline double norm_of(const AttemptRow& attempt, attacks::Norm norm) {
  switch (norm) {
    case attacks::Norm::linf:
      return attempt.linf;
    case attacks::Norm::l2:
      return attempt.l2;
    case attacks::Norm::l1:
      return attempt.l1;
    case attacks::Norm::l0:
    case attacks::Norm::none:
      break;  // no suite has them: make_suite
    case attacks::Norm::wasserstein:
      return attempt.wasserstein.value_or(0);
  }
  return 0;
}

}  // namespace namid::eval
