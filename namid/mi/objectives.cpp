// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/objectives.h"

#include "namid/mi/scalars.h"

namespace namid::mi {
namespace {

/// ℓ of one estimator in one step, per sample (N). Each output is seen by one differentiable
/// forward; with BnUpdates::reference every further call moves the statistics as one more would.
class Losses {
 public:
  Losses(const Estimator& estimator, at::Tensor local_input, const EstimationBatch& batch,
         const EstimationRules& rules)
      : estimator_(estimator), input_(std::move(local_input)), batch_(batch), rules_(rules) {}

  at::Tensor on_natural() { return on(batch_.output_natural, natural_); }
  at::Tensor on_adversarial() { return on(batch_.output_adversarial, adversarial_); }

 private:
  at::Tensor on(const at::Tensor& output, at::Tensor& known) {
    const bool replays = rules_.bn_updates == BnUpdates::reference;
    if (!local_.defined()) {
      local_ = estimator_.local_features(input_);
    } else if (replays) {
      const at::NoGradGuard no_grad;
      estimator_.local_features(input_);
    }
    if (!known.defined()) {
      known = estimator_.loss(local_, output, rules_.dv_mask).mean(1);
    } else if (replays) {
      const at::NoGradGuard no_grad;
      estimator_.global_vectors(output);
    }
    return known;
  }

  const Estimator& estimator_;
  const at::Tensor input_;
  const EstimationBatch& batch_;
  const EstimationRules& rules_;
  at::Tensor local_, natural_, adversarial_;
};

at::Tensor at_rows(const at::Tensor& loss, const at::Tensor& rows) {
  return loss.index_select(0, rows);
}

/// Rows of the sets that the objectives speak of.
struct Sets {
  at::Tensor selected, right;           ///< S = W, R
  at::Tensor right_on_x, wrong_on_adv;  ///< A; those not right on x_adv

  Sets(const EstimationBatch& batch, SelectionRule rule)
      : selected(rows_of(select(batch.logits_natural, batch.logits_adversarial, batch.y, rule))),
        right(rows_of(select_right(batch.logits_natural, batch.logits_adversarial, batch.y, rule))),
        right_on_x(rows_of(predicted_labels(batch.logits_natural, rule).eq(batch.y))),
        wrong_on_adv(rows_of(predicted_labels(batch.logits_adversarial, rule).ne(batch.y))) {}
};

/// One estimator's loss, and the losses of those samples whose score it raises; undefined: none.
struct Part {
  at::Tensor loss, raised;
};

/// Eq. 4.
Part mean_part(const at::Tensor& own) {
  return {own.mean(), own};
}
Part mean_part(const at::Tensor& own, const at::Tensor& rows, SelectEq4 filter) {
  const bool all = filter == SelectEq4::none || rows.size(0) == 0;
  return mean_part(all ? own : at_rows(own, rows));
}

/// Eq. 5 for one estimator: mean_S ℓ(own) + mean_S max(−ℓ(other), 0).
Part difference(const at::Tensor& own, const at::Tensor& other, const at::Tensor& rows) {
  const auto raised = at_rows(own, rows);
  return {raised.mean() + at_rows(other, rows).neg().clamp_min(0).mean(), raised};
}

// The released code in place of Eq. 5.
constexpr double kCosineWeight = 5, kAdversarialRightCosineWeight = 8, kRightWeight = 0.5,
                 kAdversarialRightScoreWeight = 0.1;

at::Tensor cosine_of(const at::Tensor& a, const at::Tensor& b, const at::Tensor& rows) {
  return at::cosine_similarity(at_rows(a, rows), at_rows(b, rows), 0, 1e-8);
}

at::Tensor sum(const at::Tensor& a, const at::Tensor& b) {
  return !a.defined() ? b : !b.defined() ? a : a + b;
}

Part released_natural(Losses loss, const Sets& sets) {
  const auto count = static_cast<double>(sets.right_on_x.size(0));
  if (count == 0) return mean_part(loss.on_natural());
  Part part;
  if (const auto& rows = sets.right; rows.size(0) > 0) {
    const auto own = loss.on_natural(), other = loss.on_adversarial();
    const auto cosine = cosine_of(own, other, rows);
    part.loss = kRightWeight * (kCosineWeight * (1 - cosine).abs() +
                                at_rows(loss.on_natural(), rows).sum() / count);
  }
  if (const auto& rows = sets.selected; rows.size(0) > 0) {
    const auto own = loss.on_natural(), other = loss.on_adversarial();
    const auto cosine = cosine_of(own, other, rows);
    part.raised = at_rows(loss.on_natural(), rows);
    part.loss = sum(part.loss, kCosineWeight * cosine.abs() + part.raised.sum() / count);
  }
  return part;
}

Part released_adversarial(Losses loss, const Sets& sets) {
  if (sets.right_on_x.size(0) == 0) return mean_part(loss.on_adversarial());
  Part part;
  if (const auto& rows = sets.selected; rows.size(0) > 0) {
    const auto own = loss.on_adversarial(), other = loss.on_natural();
    part.raised = at_rows(own, rows);
    part.loss = kCosineWeight * cosine_of(own, other, rows).abs() + part.raised.mean();
  }
  if (const auto& rows = sets.right; rows.size(0) > 0) {
    const auto other = loss.on_natural(), own = loss.on_adversarial();
    const auto penalty = kAdversarialRightCosineWeight * (1 - cosine_of(other, own, rows)).abs();
    const auto lowered = kAdversarialRightScoreWeight * at_rows(own, rows).mean();
    part.loss = sum(part.loss, kRightWeight * (penalty - lowered));
  }
  return part;
}

std::pair<Part, Part> parts_of(Losses n, Losses a, const EstimationRules& rules, const Sets& sets) {
  if (rules.objective == EstimationObjective::separate)
    return {mean_part(n.on_natural(), sets.right_on_x, rules.select_eq4),
            mean_part(a.on_adversarial(), sets.wrong_on_adv, rules.select_eq4)};
  if (rules.contrast == Contrast::cosine)
    return {released_natural(n, sets), released_adversarial(a, sets)};
  const auto own_n = n.on_natural(), own_a = a.on_adversarial();
  return {difference(own_n, n.on_adversarial(), sets.selected),
          difference(own_a, a.on_natural(), sets.selected)};
}

void add_score(Scalars& scores, const std::string& name, const Part& part) {
  if (part.raised.defined()) scores.emplace_back(name, -part.raised.mean());
}

EstimationLoss one_pair(const Estimator& nets, const EstimationBatch& batch,
                        const EstimationRules& rules) {
  const bool natural = rules.objective == EstimationObjective::natural;
  Losses loss(nets, natural ? batch.x : batch.x_adv, batch, rules);
  const auto part = mean_part(natural ? loss.on_natural() : loss.on_adversarial());
  const auto name = natural ? "natural_score" : "standard_score";
  return {part.loss, {}, read_scalars({{name, -part.raised.mean()}})};
}

}  // namespace

EstimationLoss estimation_loss(const EstimatorPair& estimators, const EstimationBatch& batch,
                               const EstimationRules& rules) {
  const bool enough = batch.y.size(0) > 1;
  if (rules.objective == EstimationObjective::natural)
    return enough ? one_pair(estimators.natural, batch, rules) : EstimationLoss{};
  const Sets sets(batch, rules.selection);
  EstimationLoss result;
  const bool differs =
      rules.objective == EstimationObjective::selected && rules.contrast == Contrast::difference;
  if (enough && rules.objective == EstimationObjective::standard) {
    result = one_pair(estimators.natural, batch, rules);
  } else if (enough && (!differs || sets.selected.size(0) > 0)) {
    const auto [natural, adversarial] =
        parts_of({estimators.natural, batch.x, batch, rules},
                 {estimators.adversarial, batch.x_adv - batch.x, batch, rules}, rules, sets);
    Scalars scores;
    add_score(scores, "natural_score", natural);
    add_score(scores, "adversarial_score", adversarial);
    result = {natural.loss, adversarial.loss, read_scalars(scores)};
  }
  result.metrics["selected"] = static_cast<double>(sets.selected.size(0));
  result.metrics["right"] = static_cast<double>(sets.right.size(0));
  return result;
}

}  // namespace namid::mi
