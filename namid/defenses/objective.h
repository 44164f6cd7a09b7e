// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <functional>
#include <memory>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/models/classifier.h"
#include "namid/run/metrics.h"
#include "namid/run/tensor_file.h"

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

/// What an objective keeps between steps besides the model (MMA: a margin per image); it travels in
/// checkpoints.
class ObjectiveState {
 public:
  virtual ~ObjectiveState() = default;
  virtual TensorMap save() const = 0;
  virtual void load(const TensorMap& tensors) = 0;  ///< DataError where they do not fit
};

/// A training objective, bound to its options: (model in train mode, batch, context) → loss.
/// context.random is the attack's stream; context.epoch the epoch, from 1. A pure function unless
/// it has a state. Made of any callable of that signature.
class Objective {
 public:
  using Step = std::function<ObjectiveResult(const Classifier&, const Batch&, const Context&)>;

  template <std::convertible_to<Step> Callable>
  Objective(Callable step, std::shared_ptr<ObjectiveState> state = nullptr)  // NOLINT: implicit
      : step_(std::move(step)), state_(std::move(state)) {}

  ObjectiveResult operator()(const Classifier& model, const Batch& batch,
                             const Context& context) const {
    return step_(model, batch, context);
  }
  TensorMap save_state() const { return state_ ? state_->save() : TensorMap(); }
  void load_state(const TensorMap& tensors) const {
    if (state_) state_->load(tensors);
  }

 private:
  Step step_;
  std::shared_ptr<ObjectiveState> state_;
};

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
