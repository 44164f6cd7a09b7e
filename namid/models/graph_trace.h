// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/graph.h"

namespace namid::models {

/// The graph of one traced forward of a classifier that is in eval mode (graph.h has the errors);
/// not yet compared with the model.
Graph trace_graph(const Classifier& model);

}  // namespace namid::models
