// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "namid/core/random.h"

namespace namid {

/// Ids of the samples of a batch, one per row. File indices where the data set knows them.
using SampleIds = std::vector<std::uint64_t>;

/// Ids for a caller's own tensors: the first 64 bits of a hash of each image's float32 bytes and
/// its label. x: (N, ...) float32, y: (N) int64, any device.
SampleIds hash_sample_ids(const at::Tensor& x, const at::Tensor& y);

/// Tensor like `like` (N, ...), row i drawn at (ids[i], epoch, iteration): uniform on [0, 1).
at::Tensor random_uniform(const Random& random, const SampleIds& ids, const at::Tensor& like,
                          std::uint32_t epoch = 0, std::uint32_t iteration = 0);
/// The same with standard normals.
at::Tensor random_normal(const Random& random, const SampleIds& ids, const at::Tensor& like,
                         std::uint32_t epoch = 0, std::uint32_t iteration = 0);

}  // namespace namid
