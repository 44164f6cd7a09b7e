// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/logit_gradients.h"

#include "namid/core/error.h"

namespace namid::attacks {

LogitGradients::LogitGradients(std::string_view where, const Classifier& model,
                               const Context& context)
    : where_(where), model_(model), stop_(context.stop), meter_(where, context) {
  if (context.loss || context.gradient)
    throw OptionError(str("[", where, "] context: a loss or gradient of the caller's own cannot ",
                          "replace the logits' boundaries that this attack follows"));
}

at::Tensor LogitGradients::forward(const at::Tensor& x, std::int64_t step) {
  if (stop_) stop_->check();
  auto logits = model_(x).to(at::kFloat);
  meter_.count(x.size(0), 0);
  meter_.check_finite("logits", logits.detach(), step);
  return logits;
}

at::Tensor LogitGradients::logits(const at::Tensor& x, std::int64_t step) {
  const c10::AutoGradMode without_graph(false);
  return forward(x, step).detach();
}

LogitGradients::Point LogitGradients::point(const at::Tensor& x, std::int64_t step) {
  const c10::AutoGradMode with_graph(true);
  const auto leaf = x.detach().requires_grad_(true);
  return {leaf, forward(leaf, step)};
}

void LogitGradients::differences(const Point& point, const at::Tensor& y, const at::Tensor& classes,
                                 std::int64_t step, const Visitor& visit) {
  const c10::AutoGradMode with_graph(true);
  const auto& [leaf, logits] = point;
  const auto all = logits.gather(1, classes) - logits.gather(1, y.unsqueeze(1));
  for (std::int64_t column = 0; column < classes.size(1); ++column) {
    const auto difference = all.select(1, column);
    at::Tensor gradient;
    if (difference.requires_grad())
      gradient = torch::autograd::grad({difference.sum()}, {leaf}, {}, column + 1 < classes.size(1),
                                       false, true)
                     .front();
    if (!gradient.defined())
      throw OptionError(str("[", where_,
                            "] the logits have no gradient with respect to x: the model is not ",
                            "differentiable"));
    meter_.count(0, leaf.size(0));
    meter_.check_finite("gradient", gradient, step);
    const c10::AutoGradMode without_graph(false);
    visit(difference.detach(), gradient);
  }
}

}  // namespace namid::attacks
