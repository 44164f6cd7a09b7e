// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/cosine.h"

#include "namid/mi/selection.h"

namespace namid::mi {
namespace {

at::Tensor similarity(const at::Tensor& a, const at::Tensor& b) {
  constexpr double kSmallest = 1e-8;
  const auto length = [](const at::Tensor& v) { return v.norm(2, {-1}).clamp_min(kSmallest); };
  return (a * b).sum(-1) / (length(a) * length(b));
}

}  // namespace

at::Tensor cosine_loss(const at::Tensor& a, const at::Tensor& b, const at::Tensor& selected,
                       Cosine kind) {
  const at::Tensor rows = rows_of(selected);
  if (rows.size(0) < 2)  // the empty sum is 0 and stays attached to the graph
    return a.narrow(0, 0, 0).sum() + b.narrow(0, 0, 0).sum();
  const at::Tensor p = a.index_select(0, rows), q = b.index_select(0, rows);
  switch (kind) {
    case Cosine::batch:
      return (1 - similarity(p.mean(1), q.mean(1))).abs();
    case Cosine::centred: {
      const at::Tensor u = p.mean(1), v = q.mean(1);
      return (1 - similarity(u - u.mean(), v - v.mean())).abs();
    }
    case Cosine::locations:
      return (1 - similarity(p, q)).abs().mean();
    case Cosine::l1:
      return (p.mean(1) - q.mean(1)).abs().mean();
  }
  throw OptionError("[cosine] unknown kind");
}

}  // namespace namid::mi
