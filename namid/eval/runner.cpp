// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/runner.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <chrono>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/claims.h"
#include "namid/eval/drawn_verdicts.h"
#include "namid/eval/eight_bit.h"
#include "namid/eval/verifier.h"

namespace namid::eval {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail_not_finite(std::string_view what, std::uint64_t sample) {
  throw NumericError(str("[evaluate] sample ", sample, ": ", what, " not finite"));
}

AttemptRow attempt_row(std::uint64_t sample, const Verdict& verdict, const Claims& claims,
                       std::int64_t i, std::int64_t round) {
  if (!verdict.finite) fail_not_finite("its adversarial image or the logits there are", sample);
  return {
      .sample = sample,
      .round = claims.round(i, round),
      .success = verdict.broken(),
      .step = claims.step(i),
      .prediction = verdict.reading.prediction,
      .linf = verdict.linf,
      .l2 = verdict.l2,
      .l1 = verdict.l1,
      .margin = verdict.reading.margin,
      .loss = claims.loss(i),
      .forwards = claims.forwards(i),
      .backwards = claims.backwards(i),
      .refuted = claims.success(i) && !verdict.broken(),
      .eight_bit = verdict.broken() && verdict.eight_bit->broken(),
      .wasserstein = verdict.coupling ? std::optional(verdict.coupling->mean_cost) : std::nullopt};
}

data::Batch batch_of(const Bench& bench, Rows rows) {
  const auto size = bench.padded ? bench.compute_batch : static_cast<std::int64_t>(rows.size());
  return padded_batch(bench.dataset, rows, size, bench.model.device());
}

/// With the 8-bit column where an image is broken.
std::vector<Verdict> verdicts_of(const Bench& bench, const AttackEntry& attack,
                                 const data::Batch& batch, const Claimed& claimed) {
  const auto check = [&](auto verifier) {
    return verifier(bench.model, batch.x, claimed, batch.y, attack.budget, bench.verdict_draws);
  };
  auto verdicts = check(verify);
  const auto broken = [](const Verdict& verdict) { return verdict.broken(); };
  if (std::none_of(verdicts.begin(), verdicts.end(), broken)) return verdicts;
  return check(verify_with_eight_bit);
}

/// What further draws say of images already read; nothing of a model that draws none.
std::vector<Reading> judged(const Bench& bench, const at::Tensor& images, const at::Tensor& y) {
  return bench.verdict_draws > 1 ? read_model(bench.model, images, y, bench.verdict_draws)
                                 : std::vector<Reading>();
}

attacks::Context context_of(const Bench& bench, const AttackEntry& attack, const SampleIds& ids,
                            std::optional<int> round) {
  attacks::Context context{.random = Random(bench.seed, "test/" + attack.name),
                           .ids = ids,
                           .stop = bench.stop,
                           .round = round,
                           .compact = !bench.padded};
  if (attack.sequential) context.sequential = at::detail::createCPUGenerator(bench.seed);
  return context;
}

}  // namespace

std::vector<SampleRow> predict(const Bench& bench, Rows rows) {
  const auto batch = batch_of(bench, rows);
  const auto readings = read_model(bench.model, batch.x, batch.y, bench.verdict_draws);
  const auto further = judged(bench, batch.x, batch.y);
  const auto labels = batch.y.to(at::kCPU);
  std::vector<SampleRow> out(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!readings[i].finite || (!further.empty() && !further[i].finite))
      fail_not_finite("the logits of the natural image are", batch.ids[i]);
    const auto label = labels.data_ptr<std::int64_t>()[i];
    out[i] = {.sample = batch.ids[i],
              .label = label,
              .prediction = readings[i].prediction,
              .correct = readings[i].prediction == label,
              .margin = readings[i].margin};
    if (!further.empty()) out[i].drawn = drawn_of(readings[i], further[i], label);
  }
  return out;
}

Attacked attack_rows(const Bench& bench, const AttackEntry& attack, Rows rows,
                     std::optional<int> round) {
  const auto batch = batch_of(bench, rows);
  const auto start = Clock::now();
  const auto result = attack.run(bench.model, batch.x.clone(), batch.y.clone(),
                                 context_of(bench, attack, batch.ids, round));
  const auto verdicts = verdicts_of(bench, attack, batch, {result.x_adv, result.plan});
  const auto further = judged(bench, result.x_adv, batch.y);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();

  const auto used = static_cast<std::int64_t>(rows.size());
  const auto labels = batch.y.to(at::kCPU);
  const Claims claims(result);
  Attacked out{.attempts = {}, .x_adv = claims.x_adv().narrow(0, 0, used)};
  const auto width = static_cast<std::size_t>(out.x_adv.numel() / used);
  for (std::int64_t i = 0; i < used; ++i) {
    const auto k = static_cast<std::size_t>(i);
    auto row = attempt_row(batch.ids[k], verdicts[k], claims, i, round.value_or(0));
    row.seconds = seconds / static_cast<double>(used);
    if (!further.empty() && !further[k].finite)
      fail_not_finite("the logits of its adversarial image are", batch.ids[k]);
    if (!further.empty() && verdicts[k].valid())
      row.drawn = drawn_of(verdicts[k].reading, further[k], labels.data_ptr<std::int64_t>()[i]);
    row.x_adv_hash = hash_hex(out.x_adv.data_ptr<float>() + k * width, width);
    out.attempts.push_back(std::move(row));
  }
  return out;
}

}  // namespace namid::eval
