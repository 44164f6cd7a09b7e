// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "namid/io/pt2.h"
#include "namid/models/exported_ops.h"

namespace namid::models {

/// The graph of a torch.export program, ready to run: its nodes one after the other through
/// PyTorch's dispatcher, with autograd on, so that gradients of images and weights are those of the
/// model in PyTorch. Every value is freed after its last use. Holds no tensors but constants of the
/// graph; immutable, hence shared by copies of a classifier.
///
/// Two liberties. `view` copies where the memory order forbids a view (channels-last). A program
/// with in-place operators gets a copy of the images, so that the caller's are never changed; with
/// `view` beside them it keeps the memory order of the export (`fixed_order`).
class ExportedGraph {
 public:
  /// DataError, as make_call gives it, for a node that is not run, and for one that changes
  /// weights.
  explicit ExportedGraph(const io::Pt2Program& program);

  /// The program's output for images x; `state` in the order of Pt2Program::state. Errors of an
  /// operator get the node's name as context.
  at::Tensor operator()(const at::Tensor& x, const std::vector<at::Tensor>& state) const;

  bool fixed_order() const { return in_place_ && views_; }

 private:
  void check_changes(const io::Pt2Program& program) const;
  void find_last_uses();

  std::vector<Call> calls_;
  std::vector<std::size_t> state_values_;
  std::size_t value_count_, input_, output_;
  at::ScalarType input_type_;
  bool in_place_ = false, views_ = false;
};

}  // namespace namid::models
