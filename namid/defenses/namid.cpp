// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/namid.h"

#include "namid/mi/scalars.h"

namespace namid::defenses {
namespace {

/// What one estimator gives to L_mi.
struct Part {
  at::Tensor cosine;
  at::Tensor score;  ///< mean_S of −ℓ on the output for x_adv
};

Part part_of(const mi::Estimator& estimator, const at::Tensor& local_input, const View& natural,
             const View& adversarial, const at::Tensor& selected, const NamidOptions& options) {
  at::Tensor local;
  {
    const at::NoGradGuard no_grad;
    local = estimator.local_features(local_input);
  }
  const auto on_natural = estimator.loss(local, natural.output, options.dv_mask);
  const auto on_adversarial = estimator.loss(local, adversarial.output, options.dv_mask);
  const auto rows = mi::rows_of(selected);
  return {mi::cosine_loss(on_adversarial, on_natural, selected, options.cosine),
          -on_adversarial.index_select(0, rows).mean()};
}

/// Where a batch mean may lie. `rises`: minimising the loss raises it (MI_n), else lowers it.
std::pair<double, double> lambda_range(LambdaClamp kind, bool rises, std::int64_t n) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double most = std::log(static_cast<double>(n - 1));
  switch (kind) {
    case LambdaClamp::both:
      return {0, most};
    case LambdaClamp::one_sided:
      return rises ? std::pair{-kInfinity, most} : std::pair{0.0, kInfinity};
    case LambdaClamp::off:
      break;
  }
  return {-kInfinity, kInfinity};
}

/// L_mi from the parts of both estimators; what is logged of them goes to `numbers`.
class MiLoss {
 public:
  MiLoss(const NamidOptions& options, std::int64_t n, mi::Scalars& numbers)
      : options_(options), n_(n), numbers_(numbers) {}

  void add(const std::string& name, const Part& part, bool rises) {
    numbers_.emplace_back("cosine_" + name, part.cosine);
    numbers_.emplace_back(name + "_score", part.score);
    terms_.push_back(part.cosine);
    if (options_.lambda == 0) return;
    const auto [low, high] = lambda_range(options_.lambda_clamp, rises, n_);
    const at::Tensor clamped = part.score.clamp(low, high);
    terms_.push_back((rises ? -options_.lambda : options_.lambda) * clamped);
    outside_.push_back(clamped.detach().ne(part.score.detach()).to(at::kDouble));
  }

  at::Tensor finish() {
    if (!outside_.empty()) numbers_.emplace_back("clamped", at::stack(outside_).mean());
    return terms_.empty() ? at::Tensor() : at::stack(terms_).sum();
  }

 private:
  const NamidOptions& options_;
  const std::int64_t n_;
  mi::Scalars& numbers_;
  std::vector<at::Tensor> terms_, outside_;
};

void check_setting(const NamidSetting& setting) {
  validate(setting.options, "namid");
  if (setting.options.natural_term) check_frozen(setting.estimators.natural, "namid", "natural");
  if (setting.options.adversarial_term)
    check_frozen(setting.estimators.adversarial, "namid", "adversarial");
}

std::vector<Forward> reference_forwards(const NamidOptions& options, bool empty) {
  std::vector<Forward> all{Forward::adversarial, Forward::natural, Forward::adversarial};
  const auto add = [&](Forward first, Forward second) { all.insert(all.end(), {first, second}); };
  if (options.natural_term && !empty) add(Forward::natural_output, Forward::adversarial_output);
  if (options.adversarial_term && !empty) add(Forward::adversarial_output, Forward::natural_output);
  return all;
}

}  // namespace

ObjectiveResult namid_loss(const Classifier& model, const Batch& batch, const at::Tensor& x_adv,
                           const NamidSetting& setting, BnUpdates updates) {
  check_setting(setting);
  const auto& [estimators, options, base_loss, full_batch] = setting;
  const View natural = look(model, batch.x, estimators.info.layer, updates);
  const View adversarial = look(model, x_adv, estimators.info.layer, updates);
  const at::Tensor base = base_loss.loss(natural.logits, adversarial.logits, batch.y);
  const at::Tensor selected =
      mi::select(natural.logits, adversarial.logits, batch.y, options.selection);
  const at::Tensor count = selected.sum();
  const bool empty = count.item<std::int64_t>() == 0;
  replay(reference_forwards(options, empty), natural, adversarial);

  mi::Scalars numbers{{"base_loss", base},
                      {"selected", count},
                      {"accuracy", share_right(natural.logits, batch.y)},
                      {"adversarial_accuracy", share_right(adversarial.logits, batch.y)}};
  MiLoss mi_loss(options, batch.size(), numbers);
  if (options.natural_term && !empty)
    mi_loss.add("natural",
                part_of(estimators.natural, batch.x, natural, adversarial, selected, options),
                true);
  if (options.adversarial_term && !empty)
    mi_loss.add(
        "adversarial",
        part_of(estimators.adversarial, x_adv - batch.x, natural, adversarial, selected, options),
        false);
  const at::Tensor terms = mi_loss.finish();
  const at::Tensor loss = terms.defined() ? base + options.alpha * terms : base;
  numbers.emplace_back("mi_loss", terms.defined() ? terms : at::zeros_like(base));
  numbers.emplace_back("loss", loss);
  ObjectiveResult result{loss, mi::read_scalars(numbers)};
  result.metrics["mi_empty"] = empty;
  result.metrics["mi_single"] = result.metrics.at("selected") == 1;
  result.metrics["mi_skipped"] = 0;
  return result;
}

ObjectiveResult namid(const Classifier& model, const Batch& batch, const StepOptions& step,
                      const NamidSetting& setting, const Context& context) {
  check_setting(setting);
  if (!mi_terms_join(setting.options, batch, setting.full_batch, context))
    return without_mi_terms(adversarial(model, batch, step, setting.base, context));
  const auto attack = attack_for(setting.base.ascended, step.attack);
  return namid_loss(model, batch, craft(model, batch, attack, context), setting, step.bn_updates);
}

bool mi_terms_join(const NamidOptions& options, const Batch& batch, std::int64_t full_batch,
                   const Context& context) {
  const auto epoch = std::max<std::int64_t>(context.epoch, 1);
  const bool partial = batch.size() < full_batch && !options.mi_partial_batch;
  return epoch > options.mi_warmup && !partial && batch.size() > 1;
}

ObjectiveResult without_mi_terms(ObjectiveResult result) {
  const double loss = result.metrics.at("loss");
  result.metrics.merge(Metrics{{"base_loss", loss}, {"mi_loss", 0}, {"mi_skipped", 1}});
  return result;
}

void check_frozen(const mi::Estimator& estimator, std::string_view where, std::string_view name) {
  if (!estimator.defined())
    throw OptionError(str("[", where, "] expected a trained ", name, " estimator, got none"));
  if (!estimator.is_frozen())
    throw OptionError(str("[", where, "] estimators: expected frozen ones, the ", name,
                          " one is not; call freeze() first"));
}

}  // namespace namid::defenses
