// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/fab.h"

namespace namid::attacks {

/// What fab and fab_t have in common: the search of fab.h along the nearest of all boundaries, or
/// along that of one target per group of restarts.
struct FabSearch {
  std::string_view where;  ///< name of the attack in messages
  FabOptions options;
  int targets = 0;  ///< 0: untargeted
};

/// Every round on what is not fooled yet, with `smallest` on every sample; results inside the ball:
/// see `fab`.
AttackResult fab_within(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                        const FabSearch& search, const Context& context);

/// Every round on every sample, without a bound: see `fab_minimum`.
AttackResult fab_smallest(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                          const FabSearch& search, const Context& context);

}  // namespace namid::attacks
