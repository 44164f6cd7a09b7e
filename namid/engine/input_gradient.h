// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "namid/engine/network.h"
#include "namid/models/classifier.h"

namespace namid::engine {

/// Logits of images x by the network, part of autograd's graph where x needs a gradient: its
/// backward is the network's input gradient, or, where that is to be differentiated in turn, the
/// model's own. The network must not be packed again while the graph lives.
at::Tensor logits_of(std::shared_ptr<const Network> network, const models::Classifier& model,
                     const at::Tensor& x);

}  // namespace namid::engine
