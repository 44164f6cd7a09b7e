// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/models/classifier.h"
#include "namid/run/metrics.h"

namespace namid::defenses {

using attacks::Context;
using attacks::PgdOptions;
using data::Batch;
using models::Classifier;

/// A differentiable scalar and what is worth logging: always "loss"; "accuracy" of the clean batch
/// and "adversarial_accuracy" where the objective has those logits at hand.
struct ObjectiveResult {
  at::Tensor loss;
  Metrics metrics;
};

/// A training objective, bound to its options: (model in train mode, batch, context) → loss.
/// context.random is the attack's stream; context.epoch the epoch, from 1.
using Objective = std::function<ObjectiveResult(const Classifier&, const Batch&, const Context&)>;

/// Share of `logits` (N, C) whose largest entry is y's, as a scalar tensor without gradient.
at::Tensor share_right(const at::Tensor& logits, const at::Tensor& y);

/// Natural training: mean cross-entropy on x.
ObjectiveResult natural(const Classifier& model, const Batch& batch);

/// Adversarial examples for training: PGD with the model in eval mode, last iterate, no gradient.
at::Tensor craft(const Classifier& model, const Batch& batch, const PgdOptions& attack,
                 const Context& context);

/// Standard adversarial training, Madry et al. 2018 (arXiv:1706.06083), Eq. 2.1: mean cross-entropy
/// on x_adv, crafted with the model in eval mode; the model's forward is in its present mode.
ObjectiveResult standard(const Classifier& model, const Batch& batch, const PgdOptions& attack,
                         const Context& context);

}  // namespace namid::defenses
