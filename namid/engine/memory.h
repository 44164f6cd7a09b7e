// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "namid/engine/workspace.h"

namespace namid::engine {

/// Buffers of one caller of a network, kept from one pass to the next: fresh pages cost as much as
/// the arithmetic done in them.
class Memory {
 public:
  /// limit: bytes, of tensors and of what is kept for further ones; 0: none.
  explicit Memory(std::int64_t limit = 0);
  /// Uninitialised float32, contiguous. Its memory goes to the next one of as many elements when
  /// the last handle of the tensor goes, which must not be while another thread uses this object.
  /// ResourceError above the limit.
  at::Tensor take(at::IntArrayRef sizes);

  Workspace workspace;

 private:
  struct Free;
  std::shared_ptr<Free> free_;
};

}  // namespace namid::engine
