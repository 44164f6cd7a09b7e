// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/scores.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::mi {

void check_features(const at::Tensor& global, const at::Tensor& local, std::string_view bound) {
  if (global.dim() != 2 || local.dim() != 3 || global.size(0) != local.size(0) ||
      global.size(1) != local.size(1))
    throw OptionError(str("[", bound, "] expected global (N, U) and local (N, U, K), got ",
                          c10::str(global.sizes()), " and ", c10::str(local.sizes())));
}

at::Tensor score_tensor(const at::Tensor& global, const at::Tensor& local) {
  check_features(global, local, "score_tensor");
  const auto n = local.size(0), units = local.size(1), locations = local.size(2);
  const at::Tensor columns = local.permute({1, 0, 2}).reshape({units, n * locations});
  return global.matmul(columns).view({n, n, locations});
}

at::Tensor sample_locations(const at::Tensor& local, std::int64_t count, const Random& random,
                            const SampleIds& ids, std::uint32_t iteration) {
  if (local.dim() != 3 || local.size(2) < 1)
    throw OptionError(str("[sample_locations] local: expected (N, U, K) with K ≥ 1, got ",
                          c10::str(local.sizes())));
  if (count < 1) throw OptionError(str("[sample_locations] count: expected ≥ 1, got ", count));
  const auto n = local.size(0), locations = local.size(2);
  const auto options = at::TensorOptions().dtype(at::kDouble).device(local.device());
  const at::Tensor draws =
      random_uniform(random, ids, at::empty({n, count}, options), 0, iteration);
  const at::Tensor chosen = (draws * locations).floor().to(at::kLong);  // < K: draws are below 1
  return local.gather(2, chosen.unsqueeze(1).expand({n, local.size(1), count}));
}

void check_scores(const at::Tensor& scores, std::string_view bound) {
  if (scores.dim() != 3 || scores.size(0) != scores.size(1) || scores.size(0) < 2 ||
      scores.size(2) < 1)
    throw OptionError(str("[", bound, "] scores: expected (N, N, K) with N ≥ 2 and K ≥ 1, got ",
                          c10::str(scores.sizes()), "; a bound needs the others of a batch"));
}

at::Tensor own_scores(const at::Tensor& scores) {
  return scores.diagonal(0, 0, 1).t();
}

at::Tensor replace_own(const at::Tensor& values, double value) {
  const at::Tensor own = at::eye(values.size(0), values.options().dtype(at::kBool)).unsqueeze(2);
  return values.masked_fill(own, value);
}

at::Tensor mean_of_others(const at::Tensor& values) {
  return replace_own(values, 0).sum(1) / static_cast<double>(values.size(0) - 1);
}

at::Tensor exp_mean_of_others(const at::Tensor& exponents) {
  return mean_of_others(replace_own(exponents, 0).exp());
}

}  // namespace namid::mi
