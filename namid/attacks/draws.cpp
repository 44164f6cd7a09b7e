// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/draws.h"

namespace namid::attacks {
namespace {

const auto kFloatOnCpu = at::TensorOptions().dtype(at::kFloat).device(at::kCPU);

}  // namespace

at::Tensor Draws::uniform(const at::Tensor& like, std::uint32_t iteration) const {
  if (!sequential()) return random_uniform(context_.random, ids_, like, epoch_, iteration);
  return at::rand(like.sizes(), context_.sequential, kFloatOnCpu).to(like.device());
}

at::Tensor Draws::normal(const at::Tensor& like, std::uint32_t iteration) const {
  if (!sequential()) return random_normal(context_.random, ids_, like, epoch_, iteration);
  return at::randn(like.sizes(), context_.sequential, kFloatOnCpu).to(like.device());
}

double Draws::shared_uniform() const {
  return at::rand({1}, context_.sequential, kFloatOnCpu).item<double>();
}

}  // namespace namid::attacks
