// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/norms.h"

#include <limits>
#include <numeric>

namespace namid::attacks {

std::vector<std::int64_t> sample_dims(const at::Tensor& batch) {
  std::vector<std::int64_t> dims(static_cast<std::size_t>(batch.dim() - 1));
  std::iota(dims.begin(), dims.end(), 1);
  return dims;
}

at::Tensor per_sample(const at::Tensor& values, const at::Tensor& batch) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(batch.dim()), 1);
  shape[0] = batch.size(0);
  return values.view(shape);
}

at::Tensor sample_norms(const at::Tensor& batch, Norm norm) {
  TORCH_CHECK(norm != Norm::wasserstein, "the Wasserstein distance is no norm of a difference");
  TORCH_CHECK(norm != Norm::none, "nothing measures this perturbation");
  const auto dims = sample_dims(batch);
  if (norm == Norm::linf)
    return at::linalg_vector_norm(batch, std::numeric_limits<double>::infinity(), dims)
        .to(at::kDouble);
  if (norm == Norm::l0) return batch.ne(0).flatten(1).sum(1).to(at::kDouble);
  return at::linalg_vector_norm(batch, norm == Norm::l1 ? 1 : 2, dims, false, at::kDouble);
}

at::Tensor perturbation_norms(const at::Tensor& x_adv, const at::Tensor& x, Norm norm) {
  return sample_norms(x_adv.to(at::kDouble) - x.to(at::kDouble), norm);
}

}  // namespace namid::attacks
