// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/donsker_varadhan.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/scores.h"

namespace namid::mi {
namespace {

at::Tensor mask_own(const at::Tensor& scores, DvMask mask) {
  constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();
  return replace_own(scores, mask == DvMask::exclude ? kMinusInfinity : 0);
}

double log_pairs(std::int64_t n) {
  return std::log(static_cast<double>(n)) + std::log(static_cast<double>(n - 1));
}

/// log(Σ_{a≠b} exp(v − M) + 1e-6) + M over the dimensions `dims`, M the largest of v with 10 taken
/// off its diagonal. v: (N, N, ...).
at::Tensor shifted_log_sum(const at::Tensor& v, at::IntArrayRef dims) {
  const at::Tensor own = at::eye(v.size(0), v.options()).unsqueeze(2);
  const at::Tensor largest = (v.flatten(2) - 10 * own).view_as(v).amax(dims, true);
  const at::Tensor terms = replace_own((v - largest).exp().flatten(2), 0).view_as(v);
  return (terms.sum(dims, true) + 1e-6).log() + largest;
}

}  // namespace

at::Tensor donsker_varadhan(const at::Tensor& scores, DvMask mask) {
  check_scores(scores, "donsker_varadhan");
  const at::Tensor negative = mask_own(scores, mask).logsumexp(1);
  return negative - std::log(static_cast<double>(scores.size(0) - 1)) - own_scores(scores);
}

at::Tensor donsker_varadhan_pooled(const at::Tensor& scores, DvMask mask) {
  check_scores(scores, "donsker_varadhan_pooled");
  const at::Tensor negative = mask_own(scores, mask).logsumexp({0, 1});
  return negative - log_pairs(scores.size(0)) - own_scores(scores);
}

at::Tensor donsker_varadhan_units(const at::Tensor& global, const at::Tensor& local) {
  check_features(global, local, "donsker_varadhan_units");
  if (global.size(0) < 2)
    throw OptionError(str("[donsker_varadhan_units] expected N ≥ 2 samples, got ", global.size(0)));
  const at::Tensor v = global.unsqueeze(1).unsqueeze(3) * local.unsqueeze(0);  // (N, N, U, K)
  const at::Tensor negative = shifted_log_sum(v, {0, 1}).squeeze(0).squeeze(0);
  return negative - log_pairs(v.size(0)) - (global.unsqueeze(2) * local).mean(0);
}

at::Tensor donsker_varadhan_dim(const at::Tensor& scores) {
  check_scores(scores, "donsker_varadhan_dim");
  const double count = log_pairs(scores.size(0)) + std::log(static_cast<double>(scores.size(2)));
  return shifted_log_sum(scores, {0, 1, 2}).squeeze() - count - own_scores(scores).mean();
}

}  // namespace namid::mi
