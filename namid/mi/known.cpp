// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/known.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::mi {
namespace {

constexpr std::int64_t kTile = 16, kLabelClasses = 16;

/// Pixels (N, 16) of a 4x4 tile, repeated to (N, 1, 8, 8).
at::Tensor repeat_tile(const at::Tensor& tile) {
  return tile.reshape({-1, 1, 4, 4}).repeat({1, 1, 2, 2});
}

at::Tensor uniform(const Random& random, const SampleIds& ids, std::int64_t count,
                   std::uint32_t iteration) {
  const auto n = static_cast<std::int64_t>(ids.size());
  return random_uniform(random, ids, at::empty({n, count}), 0, iteration);
}

at::Tensor normal(const Random& random, const SampleIds& ids, std::int64_t count,
                  std::uint32_t iteration) {
  const auto n = static_cast<std::int64_t>(ids.size());
  return random_normal(random, ids, at::empty({n, count}), 0, iteration);
}

/// A class among K from uniforms in [0, 1).
at::Tensor class_of(const at::Tensor& uniform, std::int64_t classes) {
  return (uniform.to(at::kDouble) * static_cast<double>(classes)).floor().to(at::kLong);
}

Pairs draw_labels(const Known& known, const Random& random, const SampleIds& ids) {
  const auto classes = known.dimension;
  const double error = symmetric_channel_error(known.information, classes);
  const at::Tensor u = uniform(random, ids, 4, 0);
  const at::Tensor c = class_of(u.select(1, 0), classes);
  const at::Tensor other = c + 1 + class_of(u.select(1, 2), classes - 1);
  const at::Tensor sent = at::where(u.select(1, 1).lt(error), other.remainder(classes), c);
  const at::Tensor y = known.shuffled ? class_of(u.select(1, 3), classes) : sent;
  const at::Tensor noise = 0.4 * uniform(random, ids, kTile, 1) - 0.2;
  return {class_images(c, noise), at::one_hot(y, classes).to(at::kFloat)};
}

}  // namespace

std::string Known::name() const {
  return str(to_string(family), " d=", dimension, " I=", information,
             noise > 0 ? str(" noise=", noise) : "", shuffled ? " shuffled" : "");
}

void check(const Known& known) {
  const auto fail = [](const std::string& text) { throw OptionError("[known] " + text); };
  const bool label = known.family == KnownFamily::label;
  if (known.dimension < (label ? 2 : 1))
    fail(str("dimension: expected ≥ ", label ? 2 : 1, ", got ", known.dimension));
  if (known.family == KnownFamily::image && known.dimension > kTile)
    fail(str("dimension: an image shows at most ", kTile, " numbers, got ", known.dimension));
  if (label && known.dimension > kLabelClasses)
    fail(str("dimension: expected at most ", kLabelClasses, " classes, got ", known.dimension));
  if (!(known.information > 0 && std::isfinite(known.information)))
    fail(str("information: expected > 0, got ", known.information));
  if (label && known.information >= std::log(static_cast<double>(known.dimension)))
    fail(str("information: ", known.dimension, " classes carry less than log(", known.dimension,
             ") = ", fixed(std::log(static_cast<double>(known.dimension)), 3), " nats, got ",
             known.information));
  if (!(known.noise >= 0) || (label && known.noise > 0))
    fail(str("noise: expected ", label ? "0 for labels" : "≥ 0", ", got ", known.noise));
}

double true_information(const Known& known) {
  check(known);
  if (known.shuffled) return 0;
  if (known.noise == 0) return known.information;
  const double rho = gaussian_correlation(known.information, known.dimension);
  return gaussian_information(rho / std::hypot(1, known.noise), known.dimension);
}

double gaussian_correlation(double information, std::int64_t dimension) {
  return std::sqrt(-std::expm1(-2 * information / static_cast<double>(dimension)));
}

double gaussian_information(double correlation, std::int64_t dimension) {
  return -0.5 * static_cast<double>(dimension) * std::log1p(-correlation * correlation);
}

double symmetric_channel_information(double error, std::int64_t classes) {
  const auto k = static_cast<double>(classes);
  const auto term = [](double p, double of) { return p > 0 ? p * std::log(p / of) : 0; };
  return std::log(k) + term(1 - error, 1) + term(error, k - 1);
}

double symmetric_channel_error(double information, std::int64_t classes) {
  double low = 0, high = 1 - 1 / static_cast<double>(classes);  // information falls from log K to 0
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (symmetric_channel_information(middle, classes) > information ? low : high) = middle;
  }
  return (low + high) / 2;
}

Pairs draw(const Known& known, const Random& random, const SampleIds& ids) {
  check(known);
  if (known.family == KnownFamily::label) return draw_labels(known, random, ids);
  const auto d = known.dimension;
  const double rho = known.shuffled ? 0 : gaussian_correlation(known.information, d);
  const at::Tensor x = normal(random, ids, d, 0);
  at::Tensor y = rho * x + std::sqrt(1 - rho * rho) * normal(random, ids, d, 1);
  if (known.noise > 0) y = y + known.noise * normal(random, ids, d, 2);
  if (known.family == KnownFamily::cubed) y = y.pow(3);
  return {known.family == KnownFamily::image ? render(x) : x, y};
}

at::Tensor render(const at::Tensor& x) {
  const auto d = x.size(1);
  if (d > kTile) throw OptionError(str("[render] expected at most ", kTile, " numbers, got ", d));
  const at::Tensor places = at::arange(kTile, x.options().dtype(at::kLong)).remainder(d);
  return repeat_tile((0.5 + 0.1 * x).clamp(0, 1).index_select(1, places));
}

at::Tensor class_images(const at::Tensor& classes, const at::Tensor& noise) {
  // Row c of the 16x16 Hadamard matrix: the parity of c AND place.
  const at::Tensor places = at::arange(kTile, classes.options());
  at::Tensor parity = classes.unsqueeze(1).bitwise_and(places);
  for (const int shift : {2, 1}) parity = parity.bitwise_xor(parity.bitwise_right_shift(shift));
  return repeat_tile(0.75 - 0.5 * parity.bitwise_and(1).to(noise.scalar_type()) + noise);
}

}  // namespace namid::mi
