// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/rounds.h"

#include "namid/attacks/norms.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

/// Fills in what an attack may leave undefined.
void complete(AttackResult& result, int round) {
  const auto rows = result.step.numel();
  const auto all = [&](std::int64_t value) { return at::full_like(result.step, value); };
  if (!result.round.defined()) result.round = all(round);
  if (!result.forwards.defined()) result.forwards = all(result.passes.forwards / rows);
  if (!result.backwards.defined()) result.backwards = all(result.passes.backwards / rows);
}

/// `late` is the result of `rows` in a later round: each row's better point is kept.
void merge(AttackResult& kept, const AttackResult& late, const at::Tensor& rows) {
  const auto better = late.success | (late.loss > kept.loss.index_select(0, rows));
  const auto take = [&](at::Tensor& all, const at::Tensor& some) {
    all.index_copy_(0, rows, at::where(per_sample(better, some), some, all.index_select(0, rows)));
  };
  take(kept.x_adv, late.x_adv);
  take(kept.success, late.success);
  take(kept.step, late.step);
  take(kept.loss, late.loss);
  take(kept.round, late.round);
  kept.forwards.index_add_(0, rows, late.forwards);
  kept.backwards.index_add_(0, rows, late.backwards);
  kept.passes.forwards += late.passes.forwards;
  kept.passes.backwards += late.passes.backwards;
}

}  // namespace

AttackResult run_rounds(std::string_view where, const at::Tensor& x, const at::Tensor& y,
                        int rounds, const Context& context, const RoundFunction& attack) {
  const int first = context.round.value_or(0);
  if (first < 0 || first >= rounds)
    throw OptionError(str("[", where, "] round: expected 0 to ", rounds - 1, ", got ", first));
  const auto epoch = [&](int round) {
    return context.epoch * static_cast<std::uint32_t>(rounds) + static_cast<std::uint32_t>(round);
  };
  const auto ids = context.ids.empty() ? hash_sample_ids(x, y) : context.ids;
  auto result = attack({.index = first, .epoch = epoch(first), .x = x, .y = y, .ids = ids});
  if (rounds == 1 || context.round) {
    if (result.success.defined()) complete(result, first);
    return result;
  }
  complete(result, first);
  for (int round = 1; round < rounds; ++round) {
    const auto rows = result.success.logical_not().nonzero().squeeze(1);
    if (rows.numel() == 0) break;
    auto late = attack({.index = round,
                        .epoch = epoch(round),
                        .x = x.index_select(0, rows),
                        .y = y.index_select(0, rows),
                        .ids = pick(ids, rows)});
    complete(late, round);
    merge(result, late, rows);
  }
  return result;
}

SampleIds pick(const SampleIds& ids, const at::Tensor& rows) {
  const auto on_cpu = rows.to(at::kCPU);
  SampleIds picked;
  for (std::int64_t i = 0; i < on_cpu.numel(); ++i)
    picked.push_back(ids[static_cast<std::size_t>(on_cpu.data_ptr<std::int64_t>()[i])]);
  return picked;
}

}  // namespace namid::attacks
