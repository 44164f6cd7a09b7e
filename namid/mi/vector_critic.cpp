// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/vector_critic.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/scores.h"
#include "namid/models/seeded_scope.h"

namespace namid::mi {

NormalScores::NormalScores(const at::Tensor& sample) {
  if (sample.dim() != 2 || sample.size(0) < 2)
    throw OptionError(
        str("[normal_scores] expected (n, d) with n ≥ 2, got ", c10::str(sample.sizes())));
  const auto n = sample.size(0);
  knots_ = std::get<0>(sample.t().contiguous().sort(1));
  const at::Tensor ranks = at::arange(n, sample.options().dtype(at::kDouble)) + 0.5;
  levels_ = at::special_ndtri(ranks / static_cast<double>(n)).to(sample.scalar_type());
}

at::Tensor NormalScores::operator()(const at::Tensor& vectors) const {
  const at::Tensor values = vectors.t().contiguous();
  const at::Tensor above = at::searchsorted(knots_, values).clamp(1, knots_.size(1) - 1);
  const at::Tensor low = knots_.gather(1, above - 1), high = knots_.gather(1, above);
  constexpr double kSmallest = 1e-30;  // equal sample values
  const at::Tensor share = ((values - low) / (high - low).clamp_min(kSmallest)).clamp(0, 1);
  const at::Tensor from = levels_.take(above - 1), to = levels_.take(above);
  return (from + share * (to - from)).t();
}

VectorCritic::Side VectorCritic::make_side(std::int64_t inputs, const VectorCriticShape& shape) {
  const auto draw = [](std::int64_t outputs, std::int64_t fan_in) {
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    return at::empty({outputs, fan_in}).uniform_(-bound, bound).requires_grad_();
  };
  return {.first = draw(shape.hidden, inputs),
          .first_bias = at::zeros({shape.hidden}).requires_grad_(),
          .second = draw(shape.embedding, shape.hidden),
          .second_bias = at::zeros({shape.embedding}).requires_grad_(),
          .shortcut = draw(shape.embedding, inputs)};
}

VectorCritic::VectorCritic(const VectorCriticShape& shape, std::uint64_t seed) {
  if (std::min({shape.x_size, shape.y_size, shape.hidden, shape.embedding}) < 1)
    throw OptionError("[vector_critic] expected sizes ≥ 1");
  const models::SeededScope seeded(seed);
  x_ = make_side(shape.x_size, shape);
  y_ = make_side(shape.y_size, shape);
}

at::Tensor VectorCritic::embed(const Side& side, const at::Tensor& v) {
  const at::Tensor hidden = at::linear(v, side.first, side.first_bias).relu();
  return at::linear(hidden, side.second, side.second_bias) + at::linear(v, side.shortcut);
}

at::Tensor VectorCritic::scores(const at::Tensor& x, const at::Tensor& y) const {
  const double scale = 1 / std::sqrt(static_cast<double>(x_.second.size(0)));
  return score_tensor(embed(y_, y) * scale, embed(x_, x).unsqueeze(2));
}

void VectorCritic::to(const at::Device& device) {
  for (auto& parameter : parameters()) parameter.set_data(parameter.detach().to(device));
}

std::vector<at::Tensor> VectorCritic::parameters() const {
  std::vector<at::Tensor> all;
  for (const auto* side : {&x_, &y_})
    all.insert(all.end(),
               {side->first, side->first_bias, side->second, side->second_bias, side->shortcut});
  return all;
}

}  // namespace namid::mi
