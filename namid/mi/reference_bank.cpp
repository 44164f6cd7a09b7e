// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/reference_bank.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::mi {
namespace {

void check_shapes(const at::Tensor& global, const at::Tensor& local, const at::Tensor& bank,
                  const at::Tensor& own) {
  const bool dims = global.dim() == 2 && local.dim() == 3 && bank.dim() == 3 && own.dim() == 2;
  if (!dims || local.size(0) != global.size(0) || local.size(1) != global.size(1) ||
      bank.sizes().slice(1) != local.sizes().slice(1) || own.size(0) != global.size(0) ||
      own.size(1) != bank.size(0))
    throw OptionError(str("[bank_score] expected global (N, U), local (N, U, K), bank (B, U, K), ",
                          "own (N, B), got ", c10::str(global.sizes()), ", ",
                          c10::str(local.sizes()), ", ", c10::str(bank.sizes()), ", ",
                          c10::str(own.sizes())));
}

}  // namespace

at::Tensor bank_score(const at::Tensor& global, const at::Tensor& local, const at::Tensor& bank,
                      const at::Tensor& own) {
  check_shapes(global, local, bank, own);
  const auto n = global.size(0), units = global.size(1);
  const auto size = bank.size(0), locations = bank.size(2);
  const at::Tensor others = own.logical_not().sum(1, true).to(global.scalar_type());  // M_i
  if (others.eq(0).any().item<bool>())
    throw OptionError("[bank_score] bank: expected an image besides the sample itself");
  const at::Tensor positive = (global.unsqueeze(2) * local).sum(1);
  const at::Tensor columns = bank.permute({1, 0, 2}).reshape({units, size * locations});
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  const at::Tensor negative = global.matmul(columns)
                                  .view({n, size, locations})
                                  .masked_fill(own.unsqueeze(2), kMinusInfinity)
                                  .logsumexp(1);
  return positive - (negative - others.log());
}

at::Tensor same_samples(const SampleIds& ids, const SampleIds& bank_ids, const at::Device& device) {
  const auto rows = static_cast<std::int64_t>(ids.size());
  const auto columns = static_cast<std::int64_t>(bank_ids.size());
  at::Tensor same = at::empty({rows, columns}, at::kBool);
  auto* entry = same.data_ptr<bool>();
  for (const auto id : ids)
    for (const auto other : bank_ids) *entry++ = id == other;
  return same.to(device);
}

}  // namespace namid::mi
