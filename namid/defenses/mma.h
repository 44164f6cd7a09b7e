// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "namid/defenses/base_loss.h"
#include "namid/defenses/margin_search.h"

namespace namid::defenses {

/// Max-margin adversarial training, Ding et al. 2020 (arXiv:1812.02637). Every image has a margin
/// e_i of its own, kept from epoch to epoch; with P the images with SLM(h(x), y) < 0 and Q the
/// rest,
///   L = (1 − λ) · (1/N) [ Σ_{P, e_i < d_max} CE(h(x + e_i u_i), y) + Σ_Q CE(h(x), y) ]
///       + λ · mean CE(h(x), y),
/// where x + e_i u_i is the boundary point that `search_margins` finds from the last e_i (at least
/// e_min) up to 1.05 d_max. Images of P with e_i ≥ d_max give nothing but their clean loss; images
/// of Q start at e_min again. The e_i belong to the image, whatever crop or flip is drawn.
/// Deviations from the authors' code: bisection with the model in eval mode (theirs lets BatchNorm
/// see the batches of P eleven times), and x + e u inside the box.
struct MmaOptions {
  Automatic<double> d_max = {};
  Automatic<double> e_min = {};
  double clean_weight = 1.0 / 3;
  int bisections = 10;
  static constexpr auto fields() {
    using T = MmaOptions;
    return std::tuple{
        field("d_max", &T::d_max,
              "margin beyond which an image is left alone; auto: 1.5 epsilon in linf, 2 epsilon in "
              "l2 (12/255 and 1 for the usual budgets)",
              above(0)),
        field("e_min", &T::e_min,
              "smallest radius of a search; auto: 0.005 in linf, 0.5 in l2, at most d_max / 2",
              above(0)),
        field("clean_weight", &T::clean_weight, "weight of the clean loss (0: OMMA)",
              between(0, 1)),
        field("bisections", &T::bisections, "halvings in the search for the boundary",
              at_least(1))};
  }
};
NAMID_CHECK_FIELDS(MmaOptions);

/// L from logits of x and of the points x_adv (x itself for Q), labels, and margins e (N); P is
/// read off `natural`.
at::Tensor mma_loss(const at::Tensor& natural, const at::Tensor& adversarial, const at::Tensor& y,
                    const at::Tensor& margins, double d_max, double clean_weight);

/// The margins by sample id; images that are not in it, or were in Q the last time, stand at 0.
class MarginTable final : public ObjectiveState {
 public:
  at::Tensor find(const SampleIds& ids) const;  ///< float32 (N), CPU
  void keep(const SampleIds& ids, const at::Tensor& margins);
  TensorMap save() const override;
  void load(const TensorMap& tensors) override;

 private:
  std::map<std::uint64_t, float> margins_;
};

/// One step: forward of x, search on P, forward of x_adv, and the table brought up to date. Norm,
/// steps and epsilon (for `auto`) are step.attack's. Metrics: loss, accuracy, adversarial_accuracy
/// (at the boundary points), margin_mean and margin_bin_0 to margin_bin_9 (share of the batch by
/// tenths of 1.05 d_max, Q at 0), unmoved (share with e ≥ d_max).
ObjectiveResult mma(const Classifier& model, const Batch& batch, const StepOptions& step,
                    const MmaOptions& options, MarginTable& table, const Context& context);

/// OptionError for options out of range, e_min above 1.05 d_max, norm l1, or an attack with a step
/// size, start, loss, restarts or eot of its own: the search has none of them.
void check_mma(const MmaOptions& options, const PgdOptions& attack);

}  // namespace namid::defenses
