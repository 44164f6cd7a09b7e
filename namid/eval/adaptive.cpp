// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/adaptive.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "namid/attacks/apgd.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/reference_bank.h"
#include "namid/models/weights.h"

namespace namid::eval {
namespace {

using attacks::AttackResult;
using attacks::Context;
using models::Classifier;

constexpr auto kBankStream = "adaptive/bank";
constexpr int kBankSteps = 10;

/// What the attacks of one evaluation share.
struct Shared {
  mi::EstimatorPair estimators;
  const data::Dataset& dataset;
  attacks::Budget budget;
  std::uint64_t seed;
  AdaptiveOptions options;
  std::optional<ReferenceBank> bank = {};

  const ReferenceBank& bank_for(const Classifier& model) {
    if (!bank)
      bank = make_bank(
          model, estimators,
          data::make_batch(dataset, bank_rows(dataset, options.bank, seed), model.device()), budget,
          seed);
    return *bank;
  }
};

at::Tensor output_of(const Classifier& model, const at::Tensor& x, models::Layer layer) {
  return layer == models::Layer::logits ? model(x) : model(x, layer);
}

/// One attack's work on one batch.
AttackResult attack_batch(Shared& shared, AdaptiveLoss kind, bool adapts, const Classifier& model,
                          const at::Tensor& x, const at::Tensor& y, const Context& context) {
  const auto& bank = shared.bank_for(model);
  const auto layer = shared.estimators.info.layer;
  const bool internal = layer != models::Layer::logits;
  AdaptiveBatch batch{.x = x};
  {
    const auto frozen = model.frozen_eval();
    const at::NoGradGuard no_grad;
    batch.output_natural = output_of(model, x, layer);
    batch.own = mi::same_samples(context.ids, bank.ids, x.device());
  }
  attacks::Passes extra{.forwards = x.size(0)};
  Context own = context;
  own.compact = false;  // the loss knows x by its row
  own.loss = [&](const at::Tensor& x_adv, const at::Tensor& logits, const at::Tensor& labels) {
    const auto output = internal ? model(x_adv, layer) : logits;
    if (internal) {
      extra.forwards += x.size(0);
      extra.backwards += x_adv.requires_grad() ? x.size(0) : 0;
    }
    const auto scores = adaptive_scores(shared.estimators, bank, batch, x_adv, output);
    return adaptive_loss(kind, scores,
                         attacks::attack_loss(attacks::AttackLoss::cross_entropy, logits, labels),
                         shared.options);
  };
  const int steps = shared.options.steps;
  auto result = adapts ? attacks::apgd(model, x, y, {.budget = shared.budget, .steps = steps}, own)
                       : attacks::pgd(model, x, y, {.budget = shared.budget, .steps = steps}, own);
  result.passes.forwards += extra.forwards;
  result.passes.backwards += extra.backwards;
  return result;
}

std::string adaptive_options(const Shared& shared, AdaptiveLoss kind) {
  auto state = shared.estimators.natural.state_dict();
  for (auto& [name, tensor] : shared.estimators.adversarial.state_dict())
    state.emplace_back("adversarial." + name, tensor);
  const auto& options = shared.options;
  return str("norm=", to_string(shared.budget.norm), " epsilon=", shortest(shared.budget.epsilon),
             " loss=", to_string(kind), " alpha=", shortest(options.alpha),
             " lambda=", shortest(options.lambda), " steps=", options.steps, " bank=", options.bank,
             " estimators=", models::weights_sha256(state));
}

}  // namespace

std::vector<std::int64_t> bank_rows(const data::Dataset& dataset, int size, std::uint64_t seed) {
  if (dataset.size() < 2)
    throw OptionError(
        str("[adaptive] bank: expected a data set of at least two images, got ", dataset.size()));
  std::vector<std::int64_t> by_id(static_cast<std::size_t>(dataset.size()));
  std::iota(by_id.begin(), by_id.end(), 0);
  std::sort(by_id.begin(), by_id.end(), [&](auto a, auto b) {
    return dataset.ids[static_cast<std::size_t>(a)] < dataset.ids[static_cast<std::size_t>(b)];
  });
  const auto places = Random(seed, kBankStream).permutation(dataset.size(), 0);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(size, dataset.size()); ++i)
    rows.push_back(by_id[static_cast<std::size_t>(places[static_cast<std::size_t>(i)])]);
  return rows;
}

ReferenceBank make_bank(const Classifier& model, const mi::EstimatorPair& estimators,
                        const data::Batch& images, const attacks::Budget& budget,
                        std::uint64_t seed) {
  const Context context{.random = Random(seed, kBankStream), .ids = images.ids};
  const auto x_adv =
      attacks::pgd(model, images.x, images.y, {.budget = budget, .steps = kBankSteps}, context)
          .x_adv;
  const at::NoGradGuard no_grad;
  return {.natural = estimators.natural.local_features(images.x),
          .adversarial = estimators.adversarial.local_features(x_adv - images.x),
          .ids = images.ids};
}

AdaptiveScores adaptive_scores(const mi::EstimatorPair& estimators, const ReferenceBank& bank,
                               const AdaptiveBatch& batch, const at::Tensor& x_adv,
                               const at::Tensor& output_adversarial) {
  const auto& [natural, adversarial, info] = estimators;
  const auto score = [&](const mi::Estimator& estimator, const at::Tensor& local,
                         const at::Tensor& negatives, const at::Tensor& output) {
    return mi::bank_score(estimator.global_vectors(output), local, negatives, batch.own).mean(1);
  };
  const auto local_n = natural.local_features(batch.x);
  const auto local_a = adversarial.local_features(x_adv - batch.x, true);
  return {
      .natural_on_natural = score(natural, local_n, bank.natural, batch.output_natural),
      .natural_on_adversarial = score(natural, local_n, bank.natural, output_adversarial),
      .adversarial_on_natural = score(adversarial, local_a, bank.adversarial, batch.output_natural),
      .adversarial_on_adversarial =
          score(adversarial, local_a, bank.adversarial, output_adversarial)};
}

at::Tensor adaptive_loss(AdaptiveLoss kind, const AdaptiveScores& scores,
                         const at::Tensor& cross_entropy, const AdaptiveOptions& options) {
  const auto& [n_natural, n_adversarial, a_natural, a_adversarial] = scores;
  switch (kind) {
    case AdaptiveLoss::natural_score:
      return -n_adversarial;
    case AdaptiveLoss::adversarial_score:
      return a_adversarial;
    case AdaptiveLoss::all:
      break;
  }
  const auto l_mi = (n_adversarial - n_natural).abs() + (a_adversarial - a_natural).abs() +
                    options.lambda * (a_adversarial - n_adversarial);
  return cross_entropy + options.alpha * l_mi;
}

std::vector<AttackEntry> adaptive_attacks(const mi::EstimatorPair& estimators,
                                          const data::Dataset& dataset,
                                          const attacks::Budget& budget, std::uint64_t seed,
                                          const AdaptiveOptions& options) {
  validate(options, "adaptive");
  attacks::validate_budget(budget, "attack");
  if (!estimators.natural.defined() || !estimators.adversarial.defined())
    throw OptionError(str("[adaptive] estimators: expected a natural and an adversarial pair of ",
                          "nets, got those of objective '", estimators.info.objective, "'"));
  auto shared =
      std::make_shared<Shared>(Shared{estimators.clone(), dataset, budget, seed, options});
  shared->estimators.natural.freeze();
  shared->estimators.adversarial.freeze();
  std::vector<AttackEntry> entries;
  const auto add = [&](const char* name, AdaptiveLoss kind, bool adapts) {
    entries.push_back({.name = name,
                       .budget = budget,
                       .options = adaptive_options(*shared, kind),
                       .run = [shared, kind, adapts](const auto& model, const auto& x,
                                                     const auto& y, const auto& context) {
                         return attack_batch(*shared, kind, adapts, model, x, y, context);
                       }});
  };
  add("adaptive-pgd", AdaptiveLoss::all, false);
  add("adaptive-apgd", AdaptiveLoss::all, true);
  add("adaptive-natural", AdaptiveLoss::natural_score, true);
  add("adaptive-adversarial", AdaptiveLoss::adversarial_score, true);
  return entries;
}

}  // namespace namid::eval
