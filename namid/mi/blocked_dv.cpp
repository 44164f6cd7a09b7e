// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/blocked_dv.h"

#include <torch/csrc/autograd/custom_function.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/scores.h"

namespace namid::mi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// Columns begin .. begin + images of the score tensor, own pairs to be found on `own`.
struct Block {
  at::Tensor columns;  ///< (U, images·K), a view where the features lie channels-last
  at::Tensor scores;   ///< (N, images, K)
  at::Tensor own;      ///< view of the own pairs (K, images)
  std::int64_t begin, images;
};

Block make_block(const at::Tensor& global, const at::Tensor& local, std::int64_t begin,
                 std::int64_t images) {
  images = std::min(images, local.size(0) - begin);
  const auto units = local.size(1), locations = local.size(2);
  Block block{.begin = begin, .images = images};
  block.columns = local.narrow(0, begin, images).permute({1, 0, 2}).reshape({units, -1});
  block.scores = global.matmul(block.columns).view({local.size(0), images, locations});
  block.own = block.scores.narrow(0, begin, images).diagonal(0, 0, 1);
  return block;
}

class BlockedDv : public torch::autograd::Function<BlockedDv> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& global, const at::Tensor& local,
                            std::int64_t images, double masked) {
    const auto n = local.size(0), locations = local.size(2);
    at::Tensor log_sum = at::full({n, locations}, kMinusInfinity, global.options());
    const at::Tensor own = at::empty({n, locations}, global.options());
    for (std::int64_t begin = 0; begin < n; begin += images) {
      const Block block = make_block(global, local, begin, images);
      own.narrow(0, begin, block.images).copy_(block.own.t());
      block.own.fill_(masked);
      log_sum = at::logaddexp(log_sum, block.scores.logsumexp(1));
    }
    ctx->save_for_backward({global, local, log_sum});
    ctx->saved_data["images"] = images;
    return log_sum - std::log(static_cast<double>(n - 1)) - own;
  }

  /// ∂ℓ[i,k]/∂u[i,j,k] = exp(u[i,j,k] − log_sum[i,k]) for j ≠ i and −1 for j = i, for both masks.
  static tensor_list backward(AutogradContext* ctx, tensor_list gradients) {
    if (at::GradMode::is_enabled())
      throw OptionError(
          "[donsker_varadhan_blocked] second derivatives do not exist; use "
          "donsker_varadhan(score_tensor(global, local))");
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &global = saved[0], &local = saved[1], &log_sum = saved[2];
    const at::Tensor& gradient = gradients[0];
    const auto n = local.size(0), images = ctx->saved_data["images"].toInt();
    at::Tensor to_global, to_local;
    if (ctx->needs_input_grad(0)) to_global = at::zeros_like(global);
    if (ctx->needs_input_grad(1)) to_local = at::empty_like(local);
    for (std::int64_t begin = 0; begin < n; begin += images) {
      const Block block = make_block(global, local, begin, images);
      block.scores.sub_(log_sum.unsqueeze(1)).exp_().mul_(gradient.unsqueeze(1));
      block.own.copy_(gradient.narrow(0, begin, block.images).t().neg());
      const at::Tensor weights = block.scores.view({n, -1});
      if (to_global.defined()) to_global.addmm_(weights, block.columns.t());
      if (to_local.defined())
        to_local.narrow(0, begin, block.images)
            .copy_(global.t()
                       .matmul(weights)
                       .view({local.size(1), block.images, local.size(2)})
                       .permute({1, 0, 2}));
    }
    return {to_global, to_local, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor donsker_varadhan_blocked(const at::Tensor& global, const at::Tensor& local,
                                    std::int64_t images, DvMask mask) {
  check_features(global, local, "donsker_varadhan_blocked");
  if (local.size(0) < 2 || local.size(2) < 1)
    throw OptionError(str("[donsker_varadhan_blocked] local: expected (N, U, K) with N ≥ 2 and ",
                          "K ≥ 1, got ", c10::str(local.sizes())));
  if (images < 1)
    throw OptionError(str("[donsker_varadhan_blocked] images: expected ≥ 1, got ", images));
  return BlockedDv::apply(global, local, images, mask == DvMask::exclude ? kMinusInfinity : 0.0);
}

at::Tensor donsker_varadhan_of_features(const at::Tensor& global, const at::Tensor& local,
                                        DvMask mask) {
  constexpr std::int64_t kPlain = 1 << 24, kBlock = 1 << 22;
  check_features(global, local, "donsker_varadhan");
  const auto row = local.size(0) * local.size(2);
  if (local.size(0) * row <= kPlain) return donsker_varadhan(score_tensor(global, local), mask);
  return donsker_varadhan_blocked(global, local, std::max<std::int64_t>(1, kBlock / row), mask);
}

}  // namespace namid::mi
