// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "namid/attacks/attack.h"

namespace namid::attacks {

/// The random numbers of one run of an attack on some rows of a batch. Keyed by (stream, sample id,
/// epoch, iteration), so that neither batch nor order changes a draw; with Context::sequential
/// taken from that generator instead, in the order of the calls, as reference code does.
class Draws {
 public:
  /// `ids`: one per row of the tensors asked for. `context` must outlive the object.
  Draws(const Context& context, SampleIds ids, std::uint32_t epoch)
      : context_(context), ids_(std::move(ids)), epoch_(epoch) {}

  /// Shaped like `like` (N, ...), float32 on its device: uniform on [0, 1), or standard normal.
  at::Tensor uniform(const at::Tensor& like, std::uint32_t iteration = 0) const;
  at::Tensor normal(const at::Tensor& like, std::uint32_t iteration = 0) const;

  /// True in reference order, where some draws are shared by the batch.
  bool sequential() const { return context_.sequential.has_value(); }
  /// One number for the whole batch, in reference order only.
  double shared_uniform() const;

  std::uint32_t epoch() const { return epoch_; }

 private:
  const Context& context_;
  SampleIds ids_;
  std::uint32_t epoch_;
};

}  // namespace namid::attacks
