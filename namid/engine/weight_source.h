// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "namid/models/graph.h"

namespace namid::engine {

/// Tells cheaply whether the weights of a classifier are still those that its graph was made of,
/// and brings the graph up to date without tracing the model again.
class WeightSource {
 public:
  /// `graph` is models::describe(model).
  WeightSource(const models::Classifier& model, const models::Graph& graph);

  enum class Change { none, known, unknown };
  /// Since the construction or the last call. known: `refresh` brings the graph up to date; unknown
  /// (other memory, or a weight that the graph holds in another form): describe the model again.
  /// What counts: version counter and values of each tensor; of tensors of more than 4096 elements
  /// 64 values spread over it, for writers that go around version counters change no weight alone.
  Change change();
  /// Copies the present weights into the graph.
  void refresh(models::Graph& graph) const;

 private:
  /// A tensor of the state dict and the place in the graph that holds a copy of it.
  struct Link {
    at::Tensor from;
    std::size_t node = 0;
    at::Tensor models::GraphNode::*to = nullptr;
    bool transposed = false;
  };

  std::vector<Link> links_;
  std::vector<at::Tensor> others_;  ///< floating-point tensors without a link
  std::uint64_t linked_ = 0, other_ = 0, memory_ = 0;
};

}  // namespace namid::engine
