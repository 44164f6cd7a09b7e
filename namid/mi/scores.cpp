// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/scores.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::mi {

at::Tensor score_tensor(const at::Tensor& global, const at::Tensor& local) {
  if (global.dim() != 2 || local.dim() != 3 || global.size(0) != local.size(0) ||
      global.size(1) != local.size(1))
    throw OptionError(str("[score_tensor] expected global (N, U) and local (N, U, K), got ",
                          c10::str(global.sizes()), " and ", c10::str(local.sizes())));
  const auto n = local.size(0), units = local.size(1), locations = local.size(2);
  const at::Tensor columns = local.permute({1, 0, 2}).reshape({units, n * locations});
  return global.matmul(columns).view({n, n, locations});
}

}  // namespace namid::mi
