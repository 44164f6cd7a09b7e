// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/gradient.h"

#include "namid/attacks/norms.h"
#include "namid/core/error.h"

namespace namid::attacks {

LossSurface::LossSurface(std::string_view where, const Classifier& model, const at::Tensor& y,
                         LossFunction loss, const Context& context)
    : where_(where),
      model_(model),
      y_(y),
      loss_(context.loss ? context.loss : std::move(loss)),
      context_(context) {}

LossAndGradient LossSurface::evaluate(const at::Tensor& x_adv) const {
  const auto rows = x_adv.size(0);
  auto logits = model_(x_adv).to(at::kFloat);
  auto loss = loss_(x_adv, logits, y_);
  if (loss.dim() != 1 || loss.size(0) != rows)
    throw OptionError(str("[", where_, "] loss: expected one value per sample (", rows,
                          "), got shape ", c10::str(loss.sizes())));
  return {.loss = std::move(loss), .gradient = {}, .logits = std::move(logits)};
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

LossAndGradient LossSurface::gradient(const at::Tensor& x_adv, std::int64_t step) {
  LossAndGradient point;
  if (context_.gradient) {
    point = value(x_adv, step);
    const c10::AutoGradMode with_graph(true);
    point.gradient = checked_shape(context_.gradient(x_adv.detach(), y_), x_adv);
    count(0, x_adv.size(0));
  } else {
    const c10::AutoGradMode with_graph(true);
    const auto leaf = x_adv.detach().requires_grad_(true);
    point = evaluate(leaf);
    count(x_adv.size(0), 0);
    point.logits = point.logits.detach();
    check_finite("logits", point.logits, step);
    point.gradient = differentiate(point.loss, leaf);
    count(0, x_adv.size(0));
    point.loss = point.loss.detach().to(at::kFloat);
    check_finite("loss", point.loss.unsqueeze(1), step);
  }
  check_finite("gradient", point.gradient, step);
  return point;
}

LossAndGradient LossSurface::value(const at::Tensor& x_adv, std::int64_t step) {
  const c10::AutoGradMode without_graph(false);
  auto point = evaluate(x_adv);
  count(x_adv.size(0), 0);
  point.logits = point.logits.detach();
  point.loss = point.loss.detach().to(at::kFloat);
  check_finite("logits", point.logits, step);
  check_finite("loss", point.loss.unsqueeze(1), step);
  return point;
}

void LossSurface::count(std::int64_t forwards, std::int64_t backwards) {
  const auto add = [&](Passes& passes) {
    passes.forwards += forwards;
    passes.backwards += backwards;
  };
  add(passes_);
  if (context_.passes) add(*context_.passes);
}

void LossSurface::check_finite(const char* what, const at::Tensor& rows, std::int64_t step) {
  // A float64 sum of finite float32 values is finite, and takes one pass without temporaries.
  auto bad = at::isfinite(rows.sum(sample_dims(rows), false, at::kDouble)).logical_not_();
  auto text = str(what, " at step ", step);
  if (bad.is_cpu()) {
    report(text, bad);
  } else {
    deferred_.emplace_back(std::move(text), std::move(bad));
  }
}

void LossSurface::report(const std::string& what, const at::Tensor& bad_rows) const {
  const auto count = bad_rows.sum().item<std::int64_t>();
  if (count)
    throw NumericError(str("[", where_, "] ", what, ": not finite for ", count, " of ",
                           bad_rows.size(0), " samples"));
}

Passes LossSurface::finish() {
  for (const auto& [what, bad_rows] : deferred_) report(what, bad_rows);
  deferred_.clear();
  return passes_;
}

at::Tensor fooled(const at::Tensor& logits, const at::Tensor& y, bool targeted) {
  const auto prediction = logits.argmax(1);
  return targeted ? prediction == y : prediction != y;
}

}  // namespace namid::attacks
