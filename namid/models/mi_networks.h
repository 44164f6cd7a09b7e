// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/network.h"

namespace namid::models {

// The networks whose inner products score how much a model's output says about an image (NAMID,
// Zhou et al. 2022; local and global feature nets after Hjelm et al. 2019, arXiv:1808.06670). Their
// forward takes Layer::logits alone, which means "the output", float (N, units, H, W). Weights are
// drawn from `seed` alone; networks start on the CPU, in train mode.

/// Images (N, channels, H, W), at least 4x4 → feature map (N, units, H/4, W/4): 8x8 for 32x32.
/// Two 4x4 stride-2 convolutions (64, 128; BN, ReLU), then a 1x1 block beside a linear shortcut,
/// LayerNorm over the units of each location. The state dict holds the two convolutions twice
/// (`layer0`, `layers.0`), as in the released code; either name is enough when loading.
std::shared_ptr<Network> make_local_net(std::int64_t channels, std::int64_t units,
                                        std::uint64_t seed = 0);

/// What a classifier gives at `layer`, with n_in columns or channels → (N, units, 1, 1).
/// logits: (N, n_in) or (N, n_in, 1, 1), 1x1 convolutions. internal: (N, n_in, H, W), three
/// stride-2 convolutions made for 8x8. internal_last: two, made for 4x4. Smaller maps are first
/// resized to that by adaptive average pooling; of larger ones the two branches' outputs are
/// averaged over all locations before they are added (the released code fails there).
std::shared_ptr<Network> make_global_net(Layer layer, std::int64_t n_in, std::int64_t units,
                                         std::uint64_t seed = 0);

}  // namespace namid::models
