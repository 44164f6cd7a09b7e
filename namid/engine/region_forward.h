// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "namid/engine/network.h"
#include "namid/models/region_forward.h"

namespace namid::engine {

/// Above this many bytes of values there is no RegionForward: the caller makes forwards.
inline constexpr std::int64_t kMostRegionBytes = std::int64_t{2} << 30;

/// What a region forward of `rows` images holds at most: all values of a forward, and those that
/// can be computed in part a second time, of the known images.
std::int64_t region_bytes(const Network& network, std::int64_t rows);

/// Region forwards of a network. Convolutions by Winograd's filtering are computed in tiles of 4 x
/// 4 pixels, those in which a bit may differ: the bits of a tile are those of a whole forward.
/// Pointwise steps are computed pixel by pixel; direct convolutions, im2col, pools and linear
/// layers whole, of inputs that are equal bit for bit. Null where no step can be computed in part,
/// and above kMostRegionBytes.
std::unique_ptr<models::RegionForward> region_forward(std::shared_ptr<const Network> network,
                                                      std::int64_t rows);

}  // namespace namid::engine
