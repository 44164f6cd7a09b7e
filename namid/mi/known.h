// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <string>

#include "namid/core/options.h"
#include "namid/core/tensor_random.h"

namespace namid::mi {

/// Distributions of pairs (x, y) whose mutual information has a closed form.
/// gaussian: x, y in R^d, coordinate pairs independent, each bivariate normal of correlation ρ:
///   I(x; y) = −(d/2) log(1 − ρ²)
/// cubed: y³ instead of y, one-to-one, so I is the same, but the tails are heavy.
/// image: the x of gaussian as grey 8x8 images (`render`), one-to-one: the same I.
/// label: a class c, uniform among d, shown by an image (`class_images`) that tells c exactly; y is
///   c sent through the symmetric channel (c' = c with probability 1 − e, else any other class with
///   equal probability), as a one-hot row:
///   I(x; y) = I(c; c') = log d + (1 − e) log(1 − e) + e log(e / (d − 1))
enum class KnownFamily { gaussian, cubed, image, label };

/// One such distribution, and what is done to it.
struct Known {
  KnownFamily family = KnownFamily::gaussian;
  std::int64_t dimension = 2;  ///< d, of image at most 16; of label: number of classes, ≤ 16
  double information = 1;      ///< I(x; y) in nats before noise and shuffling, > 0
  /// Standard deviation of normal noise added to every coordinate of y (not of label): a processing
  /// step, after which I(x; y) = −(d/2) log(1 − ρ²/(1 + noise²)). Before y is cubed.
  double noise = 0;
  bool shuffled = false;  ///< y is drawn independently of x: I(x; y) = 0

  std::string name() const;  ///< "gaussian d=8 I=2", " noise=1", " shuffled"
};

/// OptionError unless the distribution exists: dimension ≥ 1 (label 2 to 16, image ≤ 16),
/// information > 0 and, for label, below log d; noise ≥ 0, and 0 for label.
void check(const Known& known);
/// I(x; y) in nats, of what is drawn.
double true_information(const Known& known);

/// ρ with −(d/2) log(1 − ρ²) = information, and back.
double gaussian_correlation(double information, std::int64_t dimension);
double gaussian_information(double correlation, std::int64_t dimension);
/// Error probability e in (0, 1 − 1/K) of the K-ary symmetric channel with that information, by
/// bisection to the last digit, and back. Information in (0, log K).
double symmetric_channel_error(double information, std::int64_t classes);
double symmetric_channel_information(double error, std::int64_t classes);

/// float32; x: (N, d) or images (N, 1, 8, 8); y: (N, d).
struct Pairs {
  at::Tensor x, y;
};
/// Row i depends on (random, ids[i]) alone. OptionError as `check`.
Pairs draw(const Known& known, const Random& random, const SampleIds& ids);

/// x (N, d), d ≤ 16, as grey images (N, 1, 8, 8) in [0, 1]: ½ + x_c/10, cut at 5 standard
/// deviations (a share of 6e-7, which is neglected), at pixel (r, s) with c = (4 (r mod 4) + s mod
/// 4) mod d. The 4x4 tile repeats, so that every location of a local net sees all of x.
at::Tensor render(const at::Tensor& x);
/// Classes int64 (N), below 16, as grey images (N, 1, 8, 8): the pixel at place p of the 4x4 tile
/// is 3/4 or 1/4 as the parity of (c AND p), plus noise (N, 16) in [−1/5, 1/5], which no decision
/// at 1/2 can mistake. Any two classes differ in half of the places.
at::Tensor class_images(const at::Tensor& classes, const at::Tensor& noise);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::KnownFamily> {
  static constexpr std::array kNames{"gaussian", "cubed", "image", "label"};
};
}  // namespace namid
