// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "namid/engine/cpu_features.h"
#include "namid/engine/epilogue.h"

// The inner loops of F(4x4, 3x3), Lavin & Gray 2016 (arXiv:1509.09308), Sec. 4.2: tiles of 6x6
// pixels, 36 matrix products, 4x4 pixels of the result. Free of torch.
//
// Transformed images V and products M are kept as [plane][channel group][tile][16 channels], the
// transformed weights U as [panel][plane][input channel][output channels of the panel].

namespace namid::engine {

/// The six points 0, ±2/3, ±3/2 and infinity. F(4, 3) is usually written with 0, ±1, ±2, whose
/// rounding error is 2.2 times (its largest entries: 3 to 4 times) that of these points; 0, ±1/√2,
/// ±√2 are as good (docs/winograd.md). That a point goes with its reciprocal: Barabasz et al. 2018
/// (arXiv:1803.10986).
constexpr double kPointA = 2.0 / 3.0, kPointB = 3.0 / 2.0;
constexpr std::int64_t kPlanes = 36, kLanes = 16;

/// Where [plane][group][tile][16] lies: distances in floats.
struct PlaneStrides {
  std::int64_t plane = 0, group = 0;
};

/// V of one tile from its 36 pixels, each `groups`·16 channels. Meanwhile those of the tile to
/// follow are fetched into the cache.
struct InputTile {
  const float* pixels[kPlanes];
  const float* const* next_pixels = nullptr;
  std::int64_t groups = 0;
  float* v = nullptr;
  PlaneStrides strides;
};

/// M = V U for `rows` tiles and one panel of output channels of one plane. Each entry is one
/// chain of fused multiply-adds in the order of the input channels: however tiles and channels are
/// blocked, the bits are the same.
struct PlaneProduct {
  const float* v = nullptr;
  const float* u = nullptr;
  const float* next_u = nullptr;  ///< of the product to follow; fetched meanwhile
  float* m = nullptr;
  std::int64_t v_group = 0, m_group = 0;
  std::int64_t in_groups = 0, rows = 0;
  std::int64_t groups = 0;  ///< of output channels: panel_groups, or 1 for those that are left
};

/// Pixels of the result of one tile, `height`·`width` ≤ 4·4 of them, and what follows.
struct OutputTile {
  const float* m = nullptr;
  PlaneStrides strides;
  std::int64_t groups = 0, height = 4, width = 4;
  float* y = nullptr;            ///< the whole result
  std::int64_t offset = 0;       ///< of the tile's first pixel and channel in y
  std::int64_t next_offset = 0;  ///< of the tile to follow, fetched meanwhile
  std::int64_t channel = 0;      ///< first of the groups'
  std::int64_t row_stride = 0, pixel_stride = 0;
};

struct WinogradKernels {
  void (*transform_input)(const InputTile&) = nullptr;
  void (*multiply)(const PlaneProduct&) = nullptr;
  void (*transform_output)(const OutputTile&, const Epilogue&) = nullptr;
  std::int64_t panel_groups = 2;  ///< groups of output channels in a panel
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
