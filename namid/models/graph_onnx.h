// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/io/onnx.h"
#include "namid/models/graph.h"

namespace namid::models {

/// The graph as an ONNX model of one image: input "X" (1, *input shape) in [0,1], output "Y"
/// (1, classes), float32. Normalisation is inside.
io::OnnxModel to_onnx(const Graph& graph);

}  // namespace namid::models
