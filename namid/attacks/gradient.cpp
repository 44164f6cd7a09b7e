// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/gradient.h"

#include <cmath>

#include "namid/attacks/norms.h"
#include "namid/core/error.h"

namespace namid::attacks {

LossSurface::LossSurface(std::string_view where, const Classifier& model, const at::Tensor& y,
                         LossFunction loss, const Context& context)
    : where_(where),
      model_(model),
      y_(y),
      loss_(context.loss ? context.loss : std::move(loss)),
      context_(context),
      meter_(where, context) {}

void LossSurface::climb(LossFunction loss) {
  if (!context_.loss) loss_ = std::move(loss);
}

at::Tensor LossSurface::loss_of(const at::Tensor& x_adv, const at::Tensor& logits) const {
  const auto rows = x_adv.size(0);
  auto loss = loss_(x_adv, logits, y_);
  if (loss.dim() != 1 || loss.size(0) != rows)
    throw OptionError(str("[", where_, "] loss: expected one value per sample (", rows,
                          "), got shape ", c10::str(loss.sizes())));
  return loss;
}

at::Tensor LossSurface::differentiate(const at::Tensor& loss, const at::Tensor& leaf) const {
  at::Tensor gradient;
  if (loss.requires_grad())
    gradient = torch::autograd::grad({loss.sum()}, {leaf}, {}, std::nullopt, false, true).front();
  if (!gradient.defined())
    throw OptionError(str("[", where_,
                          "] the loss has no gradient with respect to x: the model or ",
                          "the loss is not differentiable; give the context a gradient function"));
  return gradient;
}

at::Tensor LossSurface::checked_shape(at::Tensor gradient, const at::Tensor& x_adv) const {
  if (gradient.sizes() != x_adv.sizes())
    throw OptionError(str("[", where_, "] gradient: expected shape ", c10::str(x_adv.sizes()),
                          " like x, got ", c10::str(gradient.sizes())));
  return gradient.detach().to(x_adv.scalar_type());
}

at::Tensor LossSurface::draw_logits(const at::Tensor& x_adv, std::int64_t step) {
  auto logits = model_(x_adv).to(at::kFloat);
  meter_.count(x_adv.size(0), 0);
  meter_.check_finite("logits", logits.detach(), step);
  return logits;
}

LossAndGradient LossSurface::draw_gradient(const at::Tensor& x_adv, std::int64_t step) {
  LossAndGradient point;
  if (context_.gradient) {
    point = draw_value(x_adv, step);
    const c10::AutoGradMode with_graph(true);
    point.gradient = checked_shape(context_.gradient(x_adv.detach(), y_), x_adv);
    meter_.count(0, x_adv.size(0));
  } else {
    const c10::AutoGradMode with_graph(true);
    const auto leaf = x_adv.detach().requires_grad_(true);
    const auto logits = draw_logits(leaf, step);
    const auto loss = loss_of(leaf, logits);
    point.logits = logits.detach();
    point.gradient = differentiate(loss, leaf);
    meter_.count(0, x_adv.size(0));
    point.loss = loss.detach().to(at::kFloat);
    meter_.check_finite("loss", point.loss.unsqueeze(1), step);
  }
  meter_.check_finite("gradient", point.gradient, step);
  return point;
}

LossAndGradient LossSurface::draw_value(const at::Tensor& x_adv, std::int64_t step) {
  const c10::AutoGradMode without_graph(false);
  const auto logits = draw_logits(x_adv, step).detach();
  const auto loss = loss_of(x_adv, logits).detach().to(at::kFloat);
  meter_.check_finite("loss", loss.unsqueeze(1), step);
  return {.loss = loss, .gradient = {}, .logits = logits};
}

LossAndGradient LossSurface::over_draws(const Draw& draw) const {
  auto all = draw();
  if (expectation_.draws == 1) return all;
  auto last = all;
  all.logits = at::log_softmax(all.logits, 1);
  for (int i = 1; i < expectation_.draws; ++i) {
    last = draw();
    all.logits = at::logaddexp(all.logits, at::log_softmax(last.logits, 1));
    if (all.loss.defined()) all.loss = all.loss + last.loss;
    if (all.gradient.defined()) all.gradient = all.gradient + last.gradient;
  }
  const double draws = expectation_.draws;
  if (all.gradient.defined()) all.gradient.div_(draws);
  if (expectation_.judge_last)
    return {.loss = last.loss, .gradient = all.gradient, .logits = last.logits};
  all.logits.sub_(std::log(draws));
  if (all.loss.defined()) all.loss.div_(draws);
  return all;
}

LossAndGradient LossSurface::gradient(const at::Tensor& x_adv, std::int64_t step) {
  return over_draws([&] { return draw_gradient(x_adv, step); });
}

LossAndGradient LossSurface::value(const at::Tensor& x_adv, std::int64_t step) {
  return over_draws([&] { return draw_value(x_adv, step); });
}

at::Tensor LossSurface::logits(const at::Tensor& x_adv, std::int64_t step) {
  const c10::AutoGradMode without_graph(false);
  return over_draws([&]() -> LossAndGradient {
           return {.loss = {}, .gradient = {}, .logits = draw_logits(x_adv, step)};
         })
      .logits;
}

at::Tensor fooled(const at::Tensor& logits, const at::Tensor& y, bool targeted) {
  const auto prediction = logits.argmax(1);
  return targeted ? prediction == y : prediction != y;
}

}  // namespace namid::attacks
