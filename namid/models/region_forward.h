// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "namid/models/classifier.h"
#include "namid/models/rectangle.h"

namespace namid::models {

/// Logits of images that differ from known ones in one rectangle, the same for all rows of a batch,
/// computed by those values alone that the rectangle reaches: each layer's values are kept of the
/// known images. For searches that change a window at a time and keep the better image. (Nakandala
/// et al. 2019, `nakandala2019`, do so to explain predictions.)
///
/// Made by Classifier::region_forward for a number of rows, in the state in which the classifier
/// is then: eval mode, weights, parameters without gradients. Not for several threads at a time.
class RegionForward {
 public:
  RegionForward() = default;
  virtual ~RegionForward() = default;
  RegionForward(const RegionForward&) = delete;
  RegionForward& operator=(const RegionForward&) = delete;

  /// x, float32 (N, *input_shape), become the known images. One forward.
  virtual void keep(const at::Tensor& x) = 0;

  /// Logits of x, which differ from the known images inside `changed` alone: bit for bit those of a
  /// forward of the classifier. A rectangle of another size than the last one's may cost a forward
  /// of the known images besides.
  virtual at::Tensor logits(const at::Tensor& x, const Rectangle& changed) = 0;

  /// Of the last images that logits() saw, those of `rows`, bool (N), become known images; the
  /// other rows stay. Without it all stay.
  virtual void accept(const at::Tensor& rows) = 0;
};

}  // namespace namid::models
