// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/attacks/attack.h"

namespace namid::defenses {

/// Soft logit margin (N) of logits (N, C): SLM(z, y) = log Σ_{j≠y} exp z_j − z_y. Below 0: y is the
/// largest, with room to spare.
at::Tensor soft_logit_margin(const at::Tensor& logits, const at::Tensor& y);

/// How far the decision boundary is looked for.
struct MarginSearchOptions {
  attacks::Norm norm = attacks::Norm::linf;  ///< linf or l2
  double e_max = 1.05 * 12 / 255;            ///< largest distance
  int steps = 10;                            ///< of PGD
  int bisections = 10;
};

struct MarginSearch {
  at::Tensor margins;  ///< float32 (N): e with SLM = 0 at x + e u, as far as bisection found it
  at::Tensor x_adv;    ///< x + e u in the box, shaped like x
};

/// Adaptive-norm PGD, Ding et al. 2020 (arXiv:1812.02637), model in eval mode, no gradient:
/// PGD on SLM from a uniform start in the ball of each image's own radius `radii` (N), steps of
/// 2.5 radius / steps; then bisection (`bisect_margins`) along its direction u. The start is drawn
/// as by attacks::pgd: at (id, epoch), scaled by the radius. Passes are counted to context.passes:
/// per image, steps forwards and backwards, and bisections forwards.
/// OptionError for another norm; NumericError for values that are not finite.
MarginSearch search_margins(const models::Classifier& model, const at::Tensor& x,
                            const at::Tensor& y, const at::Tensor& radii,
                            const MarginSearchOptions& options, const attacks::Context& context);

/// The zero of e ↦ SLM(h(clamp(x + e u, 0, 1))) in [0, e_max] by bisection from e = `first` (N): a
/// negative value moves the lower end, any other the upper end. Images that are never misclassified
/// end at e_max. For a model that is in eval mode already; bisections forwards.
at::Tensor bisect_margins(const models::Classifier& model, const at::Tensor& x, const at::Tensor& y,
                          const at::Tensor& u, const at::Tensor& first,
                          const MarginSearchOptions& options, const attacks::Context& context);

}  // namespace namid::defenses
