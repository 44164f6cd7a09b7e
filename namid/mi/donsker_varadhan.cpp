// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/donsker_varadhan.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::mi {

at::Tensor donsker_varadhan(const at::Tensor& scores, DvMask mask) {
  if (scores.dim() != 3 || scores.size(0) != scores.size(1) || scores.size(0) < 2)
    throw OptionError(str("[donsker_varadhan] scores: expected (N, N, K) with N ≥ 2, got ",
                          c10::str(scores.sizes())));
  const auto n = scores.size(0);
  const at::Tensor positive = scores.diagonal(0, 0, 1).t();
  const at::Tensor own = at::eye(n, scores.options().dtype(at::kBool)).unsqueeze(2);
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  const double masked = mask == DvMask::exclude ? kMinusInfinity : 0;
  const at::Tensor negative = scores.masked_fill(own, masked).logsumexp(1);
  return negative - std::log(static_cast<double>(n - 1)) - positive;
}

}  // namespace namid::mi
