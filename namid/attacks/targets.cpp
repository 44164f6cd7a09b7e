// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/targets.h"

#include <algorithm>
#include <limits>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/norms.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

/// Rows of `from` where `which` says so; undefined columns stay undefined.
void take_column(at::Tensor& kept, const at::Tensor& from, const at::Tensor& which) {
  if (kept.defined()) kept = at::where(per_sample(which, from), from, kept);
}

void take_rows(AttackResult& kept, const AttackResult& from, const at::Tensor& which) {
  take_column(kept.x_adv, from.x_adv, which);
  take_column(kept.success, from.success, which);
  take_column(kept.step, from.step, which);
  take_column(kept.loss, from.loss, which);
  take_column(kept.round, from.round, which);
}

void add_passes(AttackResult& kept, const AttackResult& more) {
  kept.passes.forwards += more.passes.forwards;
  kept.passes.backwards += more.passes.backwards;
  if (kept.forwards.defined()) kept.forwards = kept.forwards + more.forwards;
  if (kept.backwards.defined()) kept.backwards = kept.backwards + more.backwards;
}

TargetedResult every_class(const NamedAttack& attack, const Classifier& model, const at::Tensor& x,
                           const at::Tensor& y, const Context& context) {
  const auto of_attack = NamedAttack(attack).budget().norm;
  const auto norm = of_attack == Norm::none ? Norm::l2 : of_attack;
  const auto classes = model.info().num_classes;
  TargetedResult best;
  at::Tensor distance;
  for (std::int64_t n = 1; n < classes; ++n) {
    const auto target = class_after(y, n, classes);
    const auto result = attack(model, x, target, context);
    const auto length = perturbation_norms(result.x_adv, x, norm);
    if (n == 1) {
      best = {result, target};
      distance = length;
      continue;
    }
    const auto& kept = best.attack;
    const auto nearer = kept.success.logical_not() | (length < distance);
    const auto better =
        at::where(result.success, nearer, kept.success.logical_not() & (result.loss > kept.loss));
    take_rows(best.attack, result, better);
    add_passes(best.attack, result);
    distance = at::where(better, length, distance);
    best.target = at::where(better, target, best.target);
  }
  return best;
}

at::Tensor least_likely_at(const Classifier& model, const at::Tensor& x, const at::Tensor& y) {
  const AttackScope scope(model);
  return least_likely_class(model(x), y);
}

}  // namespace

at::Tensor least_likely_class(const at::Tensor& logits, const at::Tensor& y) {
  return logits.scatter(1, y.unsqueeze(1), std::numeric_limits<double>::infinity()).argmin(1);
}

at::Tensor random_class(const at::Tensor& y, std::int64_t classes, const Random& random,
                        const SampleIds& ids) {
  const auto numbers = random_uniform(random, ids, at::zeros_like(y, at::kFloat));
  const auto after = (numbers * static_cast<double>(classes - 1)).floor().to(at::kLong);
  return (y + 1 + after.clamp_max(classes - 2)) % classes;
}

at::Tensor class_after(const at::Tensor& y, std::int64_t n, std::int64_t classes) {
  return (y + n) % classes;
}

bool is_targeted(NamedAttack attack) {
  OptionSet set;
  attack.add_options(set, "");
  return std::any_of(set.entries().begin(), set.entries().end(), [](const OptionEntry& entry) {
    return entry.key == "targeted" && entry.text() == "true";
  });
}

NamedAttack towards_targets(const NamedAttack& attack) {
  const auto& info = attack.info();
  if (!info.targeted) {
    std::string able;
    for (const auto& each : attack_table())
      if (each.targeted) able += str(able.empty() ? "" : ", ", each.name);
    throw OptionError(str("[", info.name, "] targets: the attack cannot move towards a given class",
                          "; these can: ", able));
  }
  auto copy = attack;
  OptionSet set;
  copy.add_options(set, "attack");
  set.set("attack.targeted", "true");
  return copy;
}

TargetedResult attack_targets(const NamedAttack& attack, const Classifier& model,
                              const at::Tensor& x, const at::Tensor& y, Targets targets,
                              const Context& context) {
  const auto towards = towards_targets(attack);
  check_batch(model, x, y, attack.info().name);
  const auto once = [&](const at::Tensor& target) {
    return TargetedResult{towards(model, x, target, context), target};
  };
  switch (targets) {
    case Targets::given:
      return once(y);
    case Targets::least_likely: {
      auto found = once(least_likely_at(model, x, y));
      found.attack.passes.forwards += x.size(0);
      if (context.passes) context.passes->forwards += x.size(0);
      if (found.attack.forwards.defined()) found.attack.forwards = found.attack.forwards + 1;
      return found;
    }
    case Targets::random: {
      const auto ids = context.ids.empty() ? hash_sample_ids(x, y) : context.ids;
      return once(random_class(y, model.info().num_classes, context.random.stream("targets"), ids));
    }
    case Targets::all:
      break;
  }
  return every_class(towards, model, x, y, context);
}

}  // namespace namid::attacks
