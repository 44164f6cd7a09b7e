// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/plain.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/jit/frontend/tracer.h>

namespace namid::engine {

bool is_plain(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.layout() == at::kStrided &&
         x.has_storage() && !x._fw_grad(0).defined() && !x.is_neg();
}

bool is_plain_call() {
  return !torch::jit::tracer::isTracing() && !at::autocast::is_autocast_enabled(at::kCPU);
}

}  // namespace namid::engine
