// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/verifier.h"

#include <cmath>
#include <limits>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::eval {
namespace {

std::string text(at::IntArrayRef sizes) {
  std::string out = "(";
  for (const auto size : sizes) out += str(out.size() > 1 ? ", " : "", size);
  return out + ")";
}

Reading read_row(const double* logits, std::int64_t classes, std::int64_t label) {
  Reading reading{.finite = true};
  double best_other = -std::numeric_limits<double>::infinity();
  for (std::int64_t c = 0; c < classes; ++c) {
    reading.finite = reading.finite && std::isfinite(logits[c]);
    if (logits[c] > logits[reading.prediction]) reading.prediction = c;
    if (c != label) best_other = std::max(best_other, logits[c]);
  }
  reading.margin = logits[label] - best_other;
  return reading;
}

struct Measured {
  bool finite = true, in_box = true;
  double linf = 0, l2 = 0, l1 = 0;
  double norm(attacks::Norm kind) const {
    return kind == attacks::Norm::linf ? linf : kind == attacks::Norm::l2 ? l2 : l1;
  }
};

Measured measure(const float* x, const float* x_adv, std::int64_t count) {
  Measured out;
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double difference = double{x_adv[i]} - double{x[i]};
    out.finite = out.finite && std::isfinite(x_adv[i]);
    out.in_box = out.in_box && x_adv[i] >= 0.0f && x_adv[i] <= 1.0f;
    out.linf = std::max(out.linf, std::abs(difference));
    squares += difference * difference;
    out.l1 += std::abs(difference);
  }
  out.l2 = std::sqrt(squares);
  return out;
}

void check_shapes(const at::Tensor& x, const at::Tensor& x_adv, const at::Tensor& y) {
  if (!x_adv.defined() || x_adv.scalar_type() != at::kFloat)
    throw DataError("[verifier] x_adv: expected a float32 tensor");
  if (x_adv.sizes() != x.sizes() || y.dim() != 1 || y.size(0) != x.size(0))
    throw DataError(str("[verifier] x_adv: expected the shape of x, ", text(x.sizes()), ", got ",
                        text(x_adv.sizes()), " and labels ", text(y.sizes())));
}

}  // namespace

std::vector<Reading> read_logits(const at::Tensor& logits, const at::Tensor& y) {
  const auto z = logits.detach().to(at::kCPU, at::kDouble).contiguous();
  const auto labels = y.to(at::kCPU, at::kLong).contiguous();
  const auto classes = z.size(1);
  std::vector<Reading> readings(static_cast<std::size_t>(z.size(0)));
  for (std::size_t i = 0; i < readings.size(); ++i)
    readings[i] = read_row(z.data_ptr<double>() + static_cast<std::int64_t>(i) * classes, classes,
                           labels.data_ptr<std::int64_t>()[i]);
  return readings;
}

std::vector<Reading> read_model(const models::Classifier& model, const at::Tensor& x,
                                const at::Tensor& y) {
  const at::NoGradGuard no_grad;
  const auto eval_mode = model.frozen_eval();
  const auto logits = model(x);
  const auto classes = model.info().num_classes;
  if (logits.dim() != 2 || logits.size(0) != x.size(0) || logits.size(1) != classes)
    throw OptionError(str("[evaluate] model '", model.info().name, "': expected logits (",
                          x.size(0), ", ", classes, "), got ", text(logits.sizes())));
  return read_logits(logits, y);
}

double allowed_norm(const attacks::Budget& budget) {
  switch (budget.norm) {
    case attacks::Norm::linf:
      return budget.epsilon + 1e-6;
    case attacks::Norm::l2:
    case attacks::Norm::l1:
      return budget.epsilon * (1 + 1e-5);
  }
  return 0;
}

std::vector<Verdict> verify(const models::Classifier& model, const at::Tensor& x,
                            const at::Tensor& x_adv, const at::Tensor& y,
                            const attacks::Budget& budget) {
  check_shapes(x, x_adv, y);
  const auto readings = read_model(model, x_adv, y);
  const auto from = x.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto to = x_adv.detach().to(at::kCPU).contiguous();
  const auto labels = y.to(at::kCPU, at::kLong).contiguous();
  const auto width = x.size(0) ? x.numel() / x.size(0) : 0;
  const double allowed = allowed_norm(budget);
  std::vector<Verdict> verdicts(readings.size());
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const auto offset = static_cast<std::int64_t>(i) * width;
    const auto measured =
        measure(from.data_ptr<float>() + offset, to.data_ptr<float>() + offset, width);
    const double norm = measured.norm(budget.norm);
    verdicts[i] = {.finite = measured.finite && readings[i].finite,
                   .in_ball = norm <= allowed,
                   .in_box = measured.in_box,
                   .linf = measured.linf,
                   .l2 = measured.l2,
                   .l1 = measured.l1,
                   .misclassified = readings[i].prediction != labels.data_ptr<std::int64_t>()[i],
                   .reading = readings[i]};
  }
  return verdicts;
}

}  // namespace namid::eval
