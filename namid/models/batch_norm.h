// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "namid/core/options.h"
#include "namid/models/classifier.h"

namespace namid::models {

/// How often a training step updates BatchNorm statistics. once: by each distinct forward whose
/// output a loss reads; reference: as often and in the order of the released code's forwards, some
/// of which it runs several times. Values and gradients are the same.
enum class BnUpdates { once, reference };

/// What one forward in train mode showed to the BatchNorm layers that it went through, so that its
/// effect on the running statistics can be had apart from its output: never, once or several times.
class BatchStatistics {
 public:
  /// One update of the running statistics, as the forward itself would have made it:
  /// r ← (1 − m) r + m b, b the mean or the unbiased variance of the batch, and one more batch
  /// tracked. Any order of forwards and repetitions is replayed this way; train-mode outputs and
  /// gradients do not depend on running statistics, so that nothing has to be computed again.
  void update_running() const;

 private:
  friend struct Recorder;
  struct Layer {
    at::Tensor running_mean, running_var, batches_tracked;  ///< the model's own
    at::Tensor mean, var;                                   ///< of the batch
    std::optional<double> momentum;                         ///< none: cumulative average
  };
  std::vector<Layer> layers_;
};

/// `forward()` through `model`, with the running statistics left as they were; what the layers saw
/// goes to `seen`. OptionError for a callable, whose layers are not known.
at::Tensor record_batch_statistics(const Classifier& model,
                                   const std::function<at::Tensor()>& forward,
                                   BatchStatistics& seen);

}  // namespace namid::models

namespace namid {
template <>
struct EnumNames<models::BnUpdates> {
  static constexpr std::array kNames{"once", "reference"};
};
}  // namespace namid
