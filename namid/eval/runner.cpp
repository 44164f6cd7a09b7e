// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/runner.h"

#include <chrono>
#include <limits>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/eval/verifier.h"

namespace namid::eval {
namespace {

using Clock = std::chrono::steady_clock;

std::string options_text(attacks::PgdOptions options) {
  OptionSet set;
  set.add("", options);
  std::string text;
  for (const auto& entry : set.entries())
    text += str(text.empty() ? "" : " ", entry.key, "=", entry.text());
  return text;
}

std::int64_t share(std::int64_t passes, std::int64_t rows) {
  return (passes + rows - 1) / rows;
}

at::Tensor on_cpu(const at::Tensor& values, at::ScalarType type) {
  return values.defined() ? values.detach().to(at::kCPU, type).contiguous() : values;
}

/// An attack's own words on each sample; an attack may keep silent on success and loss.
struct Claims {
  explicit Claims(const attacks::AttackResult& result)
      : success(on_cpu(result.success, at::kBool)),
        step(on_cpu(result.step, at::kLong)),
        loss(on_cpu(result.loss, at::kDouble)) {}
  bool success_of(std::int64_t i) const { return success.defined() && success.data_ptr<bool>()[i]; }
  std::int64_t step_of(std::int64_t i) const {
    return step.defined() ? step.data_ptr<std::int64_t>()[i] : 0;
  }
  double loss_of(std::int64_t i) const {
    return loss.defined() ? loss.data_ptr<double>()[i] : std::numeric_limits<double>::quiet_NaN();
  }
  at::Tensor success, step, loss;
};

[[noreturn]] void fail_not_finite(std::string_view what, std::uint64_t sample) {
  throw NumericError(str("[evaluate] sample ", sample, ": ", what, " not finite"));
}

AttemptRow attempt_row(std::uint64_t sample, const Verdict& verdict, const Claims& claims,
                       std::int64_t i) {
  if (!verdict.finite) fail_not_finite("its adversarial image or the logits there are", sample);
  return {.sample = sample,
          .success = verdict.broken(),
          .step = claims.step_of(i),
          .prediction = verdict.reading.prediction,
          .linf = verdict.linf,
          .l2 = verdict.l2,
          .margin = verdict.reading.margin,
          .loss = claims.loss_of(i),
          .refuted = claims.success_of(i) && !verdict.broken()};
}

}  // namespace

AttackEntry pgd_entry(const attacks::PgdOptions& options) {
  validate(options, "pgd");
  attacks::validate_budget(options.budget, "pgd");
  if (options.targeted)
    throw OptionError("[evaluate] targeted: an evaluation needs untargeted attacks");
  return {.name = str("pgd-", options.steps),
          .budget = options.budget,
          .options = options_text(options),
          .run = [options](const auto& model, const auto& x, const auto& y, const auto& context) {
            return attacks::pgd(model, x, y, options, context);
          }};
}

std::vector<SampleRow> predict(const Bench& bench, Rows rows) {
  const auto batch = padded_batch(bench.dataset, rows, bench.compute_batch, bench.model.device());
  const auto readings = read_model(bench.model, batch.x, batch.y);
  const auto labels = on_cpu(batch.y, at::kLong);
  std::vector<SampleRow> out(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!readings[i].finite) fail_not_finite("the logits of the natural image are", batch.ids[i]);
    const auto label = labels.data_ptr<std::int64_t>()[i];
    out[i] = {.sample = batch.ids[i],
              .label = label,
              .prediction = readings[i].prediction,
              .correct = readings[i].prediction == label,
              .margin = readings[i].margin};
  }
  return out;
}

Attacked attack_rows(const Bench& bench, const AttackEntry& attack, Rows rows) {
  const auto batch = padded_batch(bench.dataset, rows, bench.compute_batch, bench.model.device());
  const auto start = Clock::now();
  const auto result = attack.run(
      bench.model, batch.x.clone(), batch.y.clone(),
      {.random = Random(bench.seed, "test/" + attack.name), .ids = batch.ids, .stop = bench.stop});
  const auto verdicts = verify(bench.model, batch.x, result.x_adv, batch.y, attack.budget);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();

  const auto used = static_cast<std::int64_t>(rows.size());
  Attacked out{.attempts = {}, .x_adv = on_cpu(result.x_adv.narrow(0, 0, used), at::kFloat)};
  const auto width = static_cast<std::size_t>(out.x_adv.numel() / used);
  const Claims claims(result);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto row = attempt_row(batch.ids[i], verdicts[i], claims, static_cast<std::int64_t>(i));
    row.forwards = share(result.passes.forwards, bench.compute_batch);
    row.backwards = share(result.passes.backwards, bench.compute_batch);
    row.seconds = seconds / static_cast<double>(used);
    row.x_adv_hash = hash_hex(out.x_adv.data_ptr<float>() + i * width, width);
    out.attempts.push_back(std::move(row));
  }
  return out;
}

}  // namespace namid::eval
