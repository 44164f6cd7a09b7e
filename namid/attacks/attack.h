// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "namid/core/options.h"
#include "namid/core/random.h"
#include "namid/core/tensor_random.h"
#include "namid/models/classifier.h"
#include "namid/run/stop_token.h"

namespace namid::attacks {

using models::Classifier;

/// What measures a perturbation: a norm over all entries of one sample (l0: how many of them
/// differ), or the Wasserstein distance: the mean distance in pixels that the mass of x travels, in
/// each channel for itself. none: nothing does (spatial attacks).
enum class Norm { linf, l2, l1, l0, wasserstein, none };

/// Which perturbations are allowed: norm(x_adv - x) ≤ epsilon and x_adv in [0,1]; for wasserstein:
/// some plan (transport.h) makes x_adv of x at a mean cost ≤ epsilon; for none: every x_adv in
/// [0,1], whatever epsilon is.
struct Budget {
  Norm norm = Norm::linf;
  double epsilon = 8.0 / 255;
  static constexpr auto fields() {
    return std::tuple{
        field("norm", &Budget::norm, "norm of the perturbation"),
        field(
            "epsilon", &Budget::epsilon,
            "radius of the ball, for images in [0,1]; fractions as 8/255 are allowed; l0: entries "
            "that may change",
            at_least(0))};
  }
};
NAMID_CHECK_FIELDS(Budget);

/// Throws OptionError "[cw] norm: expected l2, got linf" unless the norm is one of `known`, and
/// unless epsilon fits it: in [0,1] for linf (a larger one is in units of 0..255: the message says
/// so), 0 or at least one entry for l0.
void validate_budget(const Budget& budget, std::string_view where,
                     const std::vector<Norm>& known = {Norm::linf, Norm::l2, Norm::l1});

/// Forward and backward passes, in samples (a batch of 32 counts 32).
struct Passes {
  std::int64_t forwards = 0;
  std::int64_t backwards = 0;
};

/// Differentiable loss per sample that the attack maximises: (x_adv, logits at x_adv, y) → (N).
using LossFunction = std::function<at::Tensor(const at::Tensor& x_adv, const at::Tensor& logits,
                                              const at::Tensor& y)>;
/// Replaces the gradient altogether: (x_adv, y) → d loss / d x_adv, shaped like x_adv.
using GradientFunction = std::function<at::Tensor(const at::Tensor& x_adv, const at::Tensor& y)>;

/// Everything an attack may touch besides its arguments; nothing is global.
struct Context {
  Random random;             ///< stream of this attack, e.g. Random(seed, "evaluate/pgd")
  SampleIds ids = {};        ///< one per row; empty: hash_sample_ids(x, y)
  std::uint32_t epoch = 0;   ///< epoch in training, 0 in evaluation
  Passes* passes = nullptr;  ///< counted here if given
  std::function<void(int step, double loss)> observe = {};  ///< called once per step
  const run::StopToken* stop = nullptr;                     ///< checked once per step
  LossFunction loss = {};          ///< instead of the attack's own loss (adaptive attacks)
  GradientFunction gradient = {};  ///< instead of autograd through loss (adaptive attacks)
  bool verdict = true;  ///< false: success and loss need not be known (training saves a forward)
  /// One round alone instead of all (rounds.h), drawn as if the others had been run: evaluations
  /// pack the survivors of a round into full batches before the next.
  std::optional<int> round = {};
  /// Rows that are done may leave the batch. false: every pass has all rows, so that no result
  /// moves with the verdicts on other rows (evaluation in a fixed compute batch).
  bool compact = true;
  /// Draw from this generator, in the order of the reference code, instead of from `random`: for
  /// parity with published runs. Results then depend on batch size and order.
  std::optional<at::Generator> sequential = {};
};

/// What an attack returns. It is not believed: the runner re-checks ball, box and success.
struct AttackResult {
  at::Tensor x_adv;       ///< float32 like x, inside ball and box
  at::Tensor success;     ///< bool (N): misclassified at x_adv (targeted: classified as the target)
  at::Tensor step;        ///< int64 (N): step at which x_adv was found, 0 = start point
  at::Tensor loss;        ///< float32 (N): the attack's loss at x_adv
  Passes passes;          ///< all that were made, rows that were done already included
  at::Tensor round = {};  ///< int64 (N): round in which x_adv was found; undefined: 0
  /// int64 (N): passes that the sample's own result took, whatever its neighbours did; undefined:
  /// the same for all rows, passes / N.
  at::Tensor forwards = {}, backwards = {};
  /// Of Norm::wasserstein alone: the plan (N, C, H, W, K²) that makes x_adv, its proof.
  at::Tensor plan = {};
};

/// Throws OptionError unless x is a finite float32 batch (N ≥ 1, ...) in [0,1] that fits the
/// model's input shape, and y int64 (N) on the same device with labels below the class count. Hints
/// at a factor 255, at integer images and at normalised ones.
void check_batch(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 std::string_view where);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Norm> {
  static constexpr std::array kNames{"linf", "l2", "l1", "l0", "wasserstein", "none"};
};
}  // namespace namid
