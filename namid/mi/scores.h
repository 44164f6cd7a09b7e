// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

#include "namid/core/tensor_random.h"

namespace namid::mi {

/// u[i,j,k] = ⟨G_i, L_{j,k}⟩: i indexes the global vector (row), j the image that gives the local
/// features, k its location. global: (N, U); local: (N, U, K). Returns (N, N, K). OptionError for
/// other shapes.
at::Tensor score_tensor(const at::Tensor& global, const at::Tensor& local);

/// `count` of the K locations of each image, drawn uniformly with replacement (a multinomial with
/// equal weights), for each image on its own: row i at (ids[i], iteration), so that batch size and
/// order change no draw. local: (N, U, K); returns (N, U, count), through which gradients flow.
/// OptionError for other shapes, count < 1 or another number of ids.
at::Tensor sample_locations(const at::Tensor& local, std::int64_t count, const Random& random,
                            const SampleIds& ids, std::uint32_t iteration = 0);

// What all bounds on a score tensor share. NaN is never hidden: a NaN score makes every loss NaN
// that is computed from it.

/// OptionError, naming the bound, unless global is (N, U) and local (N, U, K).
void check_features(const at::Tensor& global, const at::Tensor& local, std::string_view bound);
/// OptionError, naming the bound, unless scores are (N, N, K) with N ≥ 2 and K ≥ 1.
void check_scores(const at::Tensor& scores, std::string_view bound);
/// Scores of the pairs that belong together, u[i,i,k]: (N, K).
at::Tensor own_scores(const at::Tensor& scores);
/// A copy of `values` (N, N, K) with the own pairs [i,i,k] replaced by `value`.
at::Tensor replace_own(const at::Tensor& values, double value);
/// Mean over j ≠ i of `values` (N, N, K): (N, K). The own pairs count for nothing, even NaN ones.
at::Tensor mean_of_others(const at::Tensor& values);
/// Mean over j ≠ i of exp of `exponents` (N, N, K): (N, K). An own pair that would overflow, as the
/// largest scores are the first to do, harms neither value nor gradient.
at::Tensor exp_mean_of_others(const at::Tensor& exponents);

}  // namespace namid::mi
