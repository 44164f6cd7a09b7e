// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "namid/core/tensor_random.h"

namespace namid::mi {

/// DV score (nats) of each sample against a fixed bank of B images instead of its own batch, so
/// that it depends on no neighbour. Per location k,
///   score[i,k] = ⟨G_i, L_ik⟩ − log (1/M_i) Σ_{j ≠ i} exp ⟨G_i, B_jk⟩,
/// the negative of `donsker_varadhan` with the bank's local features B_j as negatives; a bank image
/// that is the sample itself is left out, M_i are the others.
/// global: (N, U); local: (N, U, K); bank: (B, U, K), K as in local; own: bool (N, B), true where
/// bank image j is sample i. Returns (N, K), differentiable in all three. OptionError for other
/// shapes and where a sample has no negative left.
at::Tensor bank_score(const at::Tensor& global, const at::Tensor& local, const at::Tensor& bank,
                      const at::Tensor& own);

/// bool (N, B) on `device`: where ids[i] = bank_ids[j].
at::Tensor same_samples(const SampleIds& ids, const SampleIds& bank_ids, const at::Device& device);

}  // namespace namid::mi
