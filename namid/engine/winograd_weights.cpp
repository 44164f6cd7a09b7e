// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd_weights.h"

namespace namid::engine {
namespace {

/// Three weights along one direction to the six points: rows (1, p, p²) / Π (p − other points).
void weight_points(const double g[3], double u[6]) {
  constexpr double aa = kPointA * kPointA, bb = kPointB * kPointB;
  constexpr double at_zero = 1 / (aa * bb), at_a = 1 / (2 * aa * (aa - bb)),
                   at_b = 1 / (2 * bb * (bb - aa));
  u[0] = g[0] * at_zero;
  u[1] = (g[0] + aa * g[2] + kPointA * g[1]) * at_a;
  u[2] = (g[0] + aa * g[2] - kPointA * g[1]) * at_a;
  u[3] = (g[0] + bb * g[2] + kPointB * g[1]) * at_b;
  u[4] = (g[0] + bb * g[2] - kPointB * g[1]) * at_b;
  u[5] = g[2];
}

/// Stride 2: the outer two weights to five points, then the one between.
void strided_weight_points(const double g[3], double u[6]) {
  constexpr double a = kStridedA, b = kStridedB;
  constexpr double at_a = 1 / (2 * a * (a * a - b * b)), at_b = 1 / (2 * b * (b * b - a * a));
  u[0] = (g[0] + a * g[2]) * at_a;
  u[1] = (a * g[2] - g[0]) * at_a;
  u[2] = (g[0] + b * g[2]) * at_b;
  u[3] = (b * g[2] - g[0]) * at_b;
  u[4] = g[2];
  u[5] = g[1];
}

}  // namespace

void transform_weights(WinogradForm form, const float* weight, const WeightStrides& strides,
                       std::int64_t in_channels, std::int64_t width, float* u) {
  const std::int64_t plane = in_channels * width;
  const auto points = form == WinogradForm::plain ? weight_points : strided_weight_points;
  for (std::int64_t in = 0; in < in_channels; ++in)
    for (std::int64_t out = 0; out < width; ++out) {
      const float* from = weight + out * strides.out + in * strides.in;
      double rows[3][6], columns[6][6];
      for (int i = 0; i < 3; ++i) {
        const float* row = from + i * strides.row;
        const double g[3] = {row[0], row[strides.column], row[2 * strides.column]};
        points(g, rows[i]);
      }
      for (int j = 0; j < 6; ++j) {
        const double g[3] = {rows[0][j], rows[1][j], rows[2][j]};
        points(g, columns[j]);
      }
      for (int i = 0; i < 6; ++i)
        for (int j = 0; j < 6; ++j)
          u[(6 * i + j) * plane + in * width + out] = static_cast<float>(columns[j][i]);
    }
}

}  // namespace namid::engine
