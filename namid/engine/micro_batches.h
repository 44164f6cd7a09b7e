// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "namid/engine/network.h"

namespace namid::engine {

/// Network::forward of x; where memory does not suffice for the batch, of its halves, quarters and
/// so on, down to single rows, whose ResourceError is thrown. `traces`, if given, receives the
/// trace of each piece, in order. The results are those of the whole batch, but for rounding where
/// a kernel depends on the number of rows.
at::Tensor forward_in_pieces(const Network& network, const at::Tensor& x,
                             std::vector<Trace>* traces = nullptr);

/// Network::input_gradient through the pieces of a forward; a piece for whose gradient memory does
/// not suffice goes forwards again in halves. x: as in the forward; gradient: (N, classes).
at::Tensor input_gradient_in_pieces(const Network& network, const at::Tensor& x,
                                    const std::vector<Trace>& traces, const at::Tensor& gradient);

}  // namespace namid::engine
