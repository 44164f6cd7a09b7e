// SPDX-License-Identifier: Apache-2.0
#include "namid/models/batch_norm.h"

#include <torch/nn/modules/batchnorm.h>

#include "namid/core/error.h"
#include "namid/models/network.h"

namespace namid::models {
namespace {

/// One BatchNorm layer of any dimension.
struct Norm {
  torch::nn::BatchNormOptions* options;
  // Views with version counters of their own: autograd has saved the buffers for a backward that,
  // in train mode, does not read them.
  at::Tensor mean, var, tracked;
};

template <class Holder>
void collect_norms(torch::nn::Module& module, std::vector<Norm>& norms) {
  auto* norm = module.as<Holder>();
  if (norm && norm->is_training() && norm->running_mean.defined())
    norms.push_back({&norm->options, norm->running_mean.data(), norm->running_var.data(),
                     norm->num_batches_tracked.data()});
}

std::vector<Norm> norms_in_training(Network& network) {
  std::vector<Norm> norms;
  for (const auto& module : network.modules()) {
    collect_norms<torch::nn::BatchNorm1d>(*module, norms);
    collect_norms<torch::nn::BatchNorm2d>(*module, norms);
    collect_norms<torch::nn::BatchNorm3d>(*module, norms);
  }
  return norms;
}

}  // namespace

/// With a momentum of 1 the running statistics after a forward are those of its batch.
struct Recorder {
  struct Saved {
    Norm norm;
    std::optional<double> momentum;
    at::Tensor mean, var, tracked;
  };
  std::vector<Saved> saved;

  explicit Recorder(Network& network) {
    for (auto& norm : norms_in_training(network)) {
      saved.push_back({norm, norm.options->momentum(), norm.mean.clone(), norm.var.clone(),
                       norm.tracked.clone()});
      norm.options->momentum(1.0);
    }
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder() {
    for (const auto& was : saved) {
      was.norm.options->momentum(was.momentum);
      was.norm.mean.copy_(was.mean);
      was.norm.var.copy_(was.var);
      was.norm.tracked.copy_(was.tracked);
    }
  }
  void write(BatchStatistics& seen) const {
    seen.layers_.clear();
    for (const auto& was : saved) {
      const auto& norm = was.norm;
      if (at::equal(norm.tracked, was.tracked)) continue;  // the forward ended before this layer
      seen.layers_.push_back(
          {norm.mean, norm.var, norm.tracked, norm.mean.clone(), norm.var.clone(), was.momentum});
    }
  }
};

void BatchStatistics::update_running() const {
  const at::NoGradGuard no_grad;
  for (const auto& layer : layers_) {
    at::Tensor mean = layer.running_mean, var = layer.running_var, tracked = layer.batches_tracked;
    tracked.add_(1);
    const double m = layer.momentum ? *layer.momentum : 1 / tracked.item<double>();
    mean.mul_(1 - m).add_(layer.mean, m);
    var.mul_(1 - m).add_(layer.var, m);
  }
}

at::Tensor record_batch_statistics(const Classifier& model,
                                   const std::function<at::Tensor()>& forward,
                                   BatchStatistics& seen) {
  const auto network = model.network();
  if (!network)
    throw OptionError(
        "[model] the BatchNorm layers of a callable are not known; expected a built-in network");
  const Recorder recorder(*network);
  at::Tensor output = forward();
  recorder.write(seen);
  return output;
}

}  // namespace namid::models
