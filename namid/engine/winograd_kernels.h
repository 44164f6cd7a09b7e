// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/engine/cpu_features.h"
#include "namid/engine/epilogue.h"

// The inner loops of Winograd's minimal filtering, Lavin & Gray 2016 (arXiv:1509.09308), Sec. 4:
// pixels of a tile to V, 36 matrix products M = V U, pixels of the result; im2col (im2col.h) takes
// the product and writes its rows. Free of torch.
//
// Transformed images V and products M are kept as [plane][channel group][tile][16 channels], the
// transformed weights U as [panel][36][input channel][output channels of the panel].

namespace namid::engine {

/// The six points 0, ±2/3, ±3/2 and infinity. F(4, 3) is usually written with 0, ±1, ±2, whose
/// rounding error is 2.2 times (its largest entries: 3 to 4 times) that of these points; 0, ±1/√2,
/// ±√2 are as good (docs/winograd.md). That a point goes with its reciprocal: Barabasz et al. 2018
/// (arXiv:1803.10986).
constexpr double kPointA = 2.0 / 3.0, kPointB = 3.0 / 2.0;
/// Those of the convolution of stride 2: ±1/2, ±5/4 and infinity.
constexpr double kStridedA = 1.0 / 2.0, kStridedB = 5.0 / 4.0;
constexpr std::int64_t kProducts = 36, kMostPlanes = 81, kLanes = 16;

/// What is computed. Along one direction:
///   plain    F(4, 3): 6 pixels, 6 points, 4 results.
///   strided  stride 2: the weights w0, w2 meet every other pixel, F(4, 2), and w1 the pixels
///            between: 9 pixels, 5 points and 4 pixels, 4 results.
///   spread   its gradient by the input: odd results are F(4, 2) of w2, w0, even ones w1 times a
///            pixel: 5 pixels, 5 points and 4 pixels, 8 results.
/// Both directions: 36 planes, or 81 that share 36 matrices of weights; planes that share one lie
/// one after another, as if they were further tiles.
enum class WinogradForm { plain, strided, spread };

/// Where the planes of some tiles lie, row by row of planes: distances in floats.
struct PlaneLayout {
  std::int64_t plane[kMostPlanes], group[kMostPlanes];
};

/// Where the weights lie for which (output channel, input channel, 3, 3): distances in floats.
struct WeightStrides {
  std::int64_t out = 0, in = 0, row = 0, column = 0;
};

/// U = G g Gᵀ of the `width` output channels of one panel, in float64 and rounded once:
/// [plane][input channel][output channel].
struct WeightPanel {
  const float* weight = nullptr;  ///< of the first output channel
  WeightStrides strides = {};
  std::int64_t in_channels = 0, width = 0;  ///< width: a multiple of 16
  float* u = nullptr;
};

/// V of one tile from its pixels, each `groups`·16 channels. Meanwhile those of the tile to
/// follow are fetched into the cache.
struct InputTile {
  const float* pixels[kMostPlanes];
  const float* const* next_pixels = nullptr;
  std::int64_t groups = 0;
  float* v = nullptr;
  const PlaneLayout* layout = nullptr;
};

/// M = V U for `rows` tiles and one panel of output channels. Each entry is one
/// chain of fused multiply-adds in the order of the input channels: however tiles and channels are
/// blocked, the bits are the same.
struct PlaneProduct {
  const float* v = nullptr;
  const float* u = nullptr;
  /// Fetched meanwhile, as many floats as `u` has: the weights of the product to follow, or pixels.
  const float* next_u = nullptr;
  float* m = nullptr;
  std::int64_t v_group = 0, m_group = 0;
  std::int64_t in_groups = 0, rows = 0;
  std::int64_t groups = 0;  ///< of output channels: panel_groups, or 1 for those that are left
};

/// Pixels of the result of one tile, `height`·`width` of them inside, and what follows.
struct OutputTile {
  const float* m = nullptr;
  const PlaneLayout* layout = nullptr;
  std::int64_t groups = 0, height = 4, width = 4;
  float* y = nullptr;            ///< the whole result
  std::int64_t offset = 0;       ///< of the tile's first pixel and channel in y
  std::int64_t next_offset = 0;  ///< of the tile to follow, fetched meanwhile
  std::int64_t channel = 0;      ///< first of the groups'
  std::int64_t row_stride = 0, pixel_stride = 0;
};

/// Rows of a product to pixels of the result that follow each other, and what follows.
struct ProductRows {
  const float* m = nullptr;  ///< [group][row][16 channels]
  std::int64_t rows = 0, groups = 0;
  float* y = nullptr;       ///< the whole result, of 16·groups channels
  std::int64_t offset = 0;  ///< of the first pixel in y
};

/// Gradients by the weights of one product, of 16 input channels and `groups` groups of output
/// channels: u (first) = or += Σ over `rows` of v mᵀ, each sum one chain of fused multiply-adds.
struct WeightProduct {
  const float* v = nullptr;  ///< [row][16 input channels]
  const float* m = nullptr;  ///< [group][row][16 output channels]
  float* u = nullptr;        ///< [input channel][output channel]
  std::int64_t m_group = 0, u_row = 0, rows = 0, groups = 0;
  bool first = true;
};

/// Gradients by the weights from those of their 36 matrices, U of WeightPanel, of one input
/// channel: Gᵀ U G in float64, rounded once.
struct WeightGradients {
  const float* u = nullptr;  ///< of the first output channel
  std::int64_t plane = 0;    ///< distance of matrices
  std::int64_t out_channels = 0;
  float* gradient = nullptr;  ///< of the first output channel
  WeightStrides strides = {};
};

struct WinogradKernels {
  void (*transform_weights[3])(const WeightPanel&);  ///< by WinogradForm
  void (*transform_input[3])(const InputTile&);      ///< by WinogradForm
  void (*transform_output[3])(const OutputTile&, const Epilogue&);
  /// Gradients by the results of a tile to those by its products, plain and strided.
  void (*transform_gradient[2])(const InputTile&);
  void (*transform_weight_gradients[2])(const WeightGradients&);
  void (*multiply)(const PlaneProduct&);
  void (*add_weight_product)(const WeightProduct&);
  void (*finish_rows)(const ProductRows&, const Epilogue&);
  std::int64_t panel_groups = 2;  ///< groups of output channels in a panel
  std::int64_t block_rows = 14;   ///< rows that `multiply` takes at a time
};

namespace avx512 {
WinogradKernels kernels();
}
namespace avx2 {
WinogradKernels kernels();
}
namespace portable {
WinogradKernels kernels();
}

/// Those of an instruction set that this machine executes.
WinogradKernels winograd_kernels(InstructionSet instructions);

}  // namespace namid::engine
