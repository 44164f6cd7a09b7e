// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/verifier.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::eval {
namespace {

std::string text(at::IntArrayRef sizes) {
  std::string out = "(";
  for (const auto size : sizes) out += str(out.size() > 1 ? ", " : "", size);
  return out + ")";
}

/// Six significant digits tell a norm from its epsilon, three are enough for what is between them.
std::string brief(double value, int digits = 6) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
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

/// Norms, box and finiteness of one image.
Verdict measure(const float* x, const float* x_adv, std::int64_t count) {
  Verdict out{.finite = true, .in_box = true};
  double squares = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = x_adv[i], difference = value - double{x[i]};
    out.finite = out.finite && std::isfinite(value);
    out.in_box = out.in_box && value >= 0 && value <= 1;
    out.beyond_box = std::max({out.beyond_box, -value, value - 1});
    out.linf = std::max(out.linf, std::abs(difference));
    squares += difference * difference;
    out.l1 += std::abs(difference);
    out.l0 += difference != 0;
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

namespace {

std::vector<Reading> read_once(const models::Classifier& model, const at::Tensor& x,
                               const at::Tensor& y) {
  const auto logits = model(x);
  const auto classes = model.info().num_classes;
  if (logits.dim() != 2 || logits.size(0) != x.size(0) || logits.size(1) != classes)
    throw OptionError(str("[evaluate] model '", model.info().name, "': expected logits (",
                          x.size(0), ", ", classes, "), got ", text(logits.sizes())));
  return read_logits(logits, y);
}

using Answers = std::map<std::int64_t, std::int64_t>;  // class → draws that gave it

/// The most frequent class, the first of several, and the votes.
void count_votes(const Answers& answers, std::int64_t label, Reading& reading) {
  reading.votes = {};
  for (const auto& [answer, count] : answers) {
    auto& [right, most, next] = reading.votes;
    if (answer == label) right = count;
    next = std::max(next, std::min(most, count));
    if (count <= most) continue;
    most = count;
    reading.prediction = answer;
  }
}

}  // namespace

std::vector<Reading> read_model(const models::Classifier& model, const at::Tensor& x,
                                const at::Tensor& y, int draws) {
  const at::NoGradGuard no_grad;
  const auto eval_mode = model.frozen_eval();
  auto readings = read_once(model, x, y);
  if (draws == 1) return readings;
  std::vector<Answers> answers(readings.size());
  for (std::size_t i = 0; i < readings.size(); ++i) ++answers[i][readings[i].prediction];
  for (int draw = 1; draw < draws; ++draw) {
    const auto more = read_once(model, x, y);
    for (std::size_t i = 0; i < readings.size(); ++i) {
      ++answers[i][more[i].prediction];
      readings[i].finite = readings[i].finite && more[i].finite;
      readings[i].margin += (more[i].margin - readings[i].margin) / (draw + 1);
    }
  }
  const auto labels = y.to(at::kCPU, at::kLong).contiguous();
  for (std::size_t i = 0; i < readings.size(); ++i)
    count_votes(answers[i], labels.data_ptr<std::int64_t>()[i], readings[i]);
  return readings;
}

Refusal Verdict::refusal() const {
  if (!finite) return Refusal::not_finite;
  if (!in_ball) return Refusal::outside_ball;
  if (!in_box) return Refusal::outside_box;
  return misclassified ? Refusal::none : Refusal::not_misclassified;
}

double Verdict::norm(attacks::Norm kind) const {
  switch (kind) {
    case attacks::Norm::linf:
      return linf;
    case attacks::Norm::l2:
      return l2;
    case attacks::Norm::l1:
      return l1;
    case attacks::Norm::l0:
      return l0;
    case attacks::Norm::wasserstein:
      return coupling && coupling->problem.empty() ? coupling->mean_cost
                                                   : std::numeric_limits<double>::infinity();
    case attacks::Norm::none:
      return 0;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::string refusal_text(const Verdict& verdict, const attacks::Budget& budget) {
  const double norm = verdict.norm(budget.norm);
  switch (verdict.refusal()) {
    case Refusal::none:
      return "";
    case Refusal::not_finite:
      return "not finite: NaN or infinity in the image or its logits";
    case Refusal::outside_ball:
      if (verdict.coupling && !verdict.coupling->problem.empty())
        return str("outside the ball: wasserstein: ", verdict.coupling->problem);
      return str("outside the ball: ", to_string(budget.norm), " ", brief(norm), " exceeds ",
                 brief(budget.epsilon), " by ", brief(norm - budget.epsilon, 3));
    case Refusal::outside_box:
      return str("outside the box [0,1] by ", brief(verdict.beyond_box, 3));
    case Refusal::not_misclassified:
      return str("not misclassified: the model says ", verdict.reading.prediction,
                 ", the label, with a margin of ", brief(verdict.reading.margin, 3));
  }
  return "";
}

double allowed_norm(const attacks::Budget& budget) {
  switch (budget.norm) {
    case attacks::Norm::linf:
      return budget.epsilon + 1e-6;
    case attacks::Norm::l2:
    case attacks::Norm::l1:
      return budget.epsilon * (1 + 1e-5);
    case attacks::Norm::l0:
      return budget.epsilon;
    case attacks::Norm::wasserstein:
      return budget.epsilon * (1 + 1e-3);
    case attacks::Norm::none:
      return std::numeric_limits<double>::infinity();
  }
  return 0;
}

std::vector<Verdict> verify(const models::Classifier& model, const at::Tensor& x,
                            const Claimed& claimed, const at::Tensor& y,
                            const attacks::Budget& budget, int draws) {
  const auto& x_adv = claimed.x_adv;
  check_shapes(x, x_adv, y);
  const auto readings = read_model(model, x_adv, y, draws);
  const auto from = x.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto to = x_adv.detach().to(at::kCPU).contiguous();
  const auto labels = y.to(at::kCPU, at::kLong).contiguous();
  const auto width = x.size(0) ? x.numel() / x.size(0) : 0;
  const double allowed = allowed_norm(budget);
  const auto couplings = budget.norm == attacks::Norm::wasserstein
                             ? check_couplings(x, x_adv, claimed.plan)
                             : std::vector<Coupling>();
  std::vector<Verdict> verdicts(readings.size());
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const auto offset = static_cast<std::int64_t>(i) * width;
    auto& verdict = verdicts[i];
    verdict = measure(from.data_ptr<float>() + offset, to.data_ptr<float>() + offset, width);
    verdict.finite = verdict.finite && readings[i].finite;
    if (!couplings.empty()) verdict.coupling = couplings[i];
    verdict.in_ball = verdict.norm(budget.norm) <= allowed;
    verdict.misclassified = readings[i].prediction != labels.data_ptr<std::int64_t>()[i];
    verdict.reading = readings[i];
  }
  return verdicts;
}

}  // namespace namid::eval
