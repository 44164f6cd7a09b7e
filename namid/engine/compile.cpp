// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/compile.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include "namid/core/error.h"
#include "namid/core/log.h"
#include "namid/engine/input_gradient.h"
#include "namid/engine/network.h"
#include "namid/engine/region_forward.h"
#include "namid/engine/training_convolutions.h"
#include "namid/engine/weight_source.h"
#include "namid/models/classifier_impl.h"
#include "namid/models/network.h"

namespace namid::engine {
namespace {

using models::Classifier;
using models::Layer;

/// A network that follows the weights of its model.
class Follower {
 public:
  Follower(Classifier model, const EngineOptions& options)
      : model_(std::move(model)), options_(options) {
    trace();
  }

  /// For the present weights; stays as it is while it is held.
  std::shared_ptr<const Network> network() {
    const std::lock_guard lock(mutex_);
    const auto change = source_->change();
    if (change == WeightSource::Change::unknown) {
      trace();
    } else if (change == WeightSource::Change::known) {
      source_->refresh(graph_);
      pack();
    }
    return network_;
  }

 private:
  void trace() {
    graph_ = models::describe(model_);
    source_.emplace(model_, graph_);
    network_.reset();
    pack();
  }
  void pack() {
    if (network_ && network_.use_count() == 1) {
      network_->repack(make_plan(graph_));
    } else {
      network_ =
          std::make_shared<Network>(make_plan(graph_), options_.kernel, options_.memory_limit);
    }
  }

  Classifier model_;
  EngineOptions options_;
  std::mutex mutex_;
  models::Graph graph_;
  std::optional<WeightSource> source_;
  std::shared_ptr<Network> network_;
};

class CompiledClassifier final : public models::ClassifierImpl {
 public:
  CompiledClassifier(const Classifier& model, const EngineOptions& options)
      : ClassifierImpl(model.info()),
        model_(model),
        options_(options),
        follower_(model, options),
        parameters_(model.parameters()) {
    if (const auto network = model.network()) modules_ = network->modules();
  }

  /// Normalisation is part of what was compiled, and of the model itself.
  at::Tensor normalised(const at::Tensor& x, bool any_size) const override {
    check_images(x, any_size);
    return x;
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    const bool usual = x.sizes().slice(1) == at::IntArrayRef(info().input_shape);
    const bool trained = !in_eval_mode() || needs_weight_gradients();
    if (layer == Layer::logits && usual && is_plain(x) && !trained)
      return logits_of(follower_.network(), model_, x);
    std::optional<models::ConvolutionScope> scope;
    if (trained && options_.kernel != Kernel::direct) scope.emplace(training_);
    if (layer == Layer::logits && !usual) return model_.at_any_size(x);
    return model_(x, layer);
  }
  std::unique_ptr<models::RegionForward> region_forward(std::int64_t rows) override {
    const bool trained = !in_eval_mode() || needs_weight_gradients();
    if (trained || !is_plain_call()) return nullptr;
    return engine::region_forward(follower_.network(), rows);
  }

  std::string kernels() { return follower_.network()->kernels(); }

  bool has_layer(Layer layer) const override { return model_.has_layer(layer); }
  std::shared_ptr<models::Network> network() const override { return model_.network(); }
  std::vector<at::Tensor> parameters() const override { return model_.parameters(); }
  TensorMap state_dict() const override { return model_.state_dict(); }
  void load_state_dict(const TensorMap& state) override { model_.load_state_dict(state); }
  void train(bool on) override { model_.train(on); }
  bool is_training() const override { return model_.is_training(); }
  at::Device device() const override { return model_.device(); }
  void to(const at::Device& device) override { model_.to(device); }
  void use_channels_last(bool on) override { model_.use_channels_last(on); }
  Classifier clone() const override { return compile(model_.clone(), options_); }
  std::shared_ptr<void> frozen_eval() override { return model_.frozen_eval(); }

 private:
  /// A float32 tensor in the CPU's memory that nobody traces, batches or casts.
  bool is_plain(const at::Tensor& x) const {
    return x.is_cpu() && x.scalar_type() == at::kFloat && x.layout() == at::kStrided &&
           x.has_storage() && x.size(0) > 0 && !x._fw_grad(0).defined() && !x.is_neg() &&
           is_plain_call();
  }
  bool is_plain_call() const {
    return model_.device().is_cpu() && !torch::jit::tracer::isTracing() &&
           !at::autocast::is_autocast_enabled(at::kCPU);
  }
  bool in_eval_mode() const {
    return !model_.is_training() &&
           std::none_of(modules_.begin(), modules_.end(),
                        [](const auto& module) { return module->is_training(); });
  }
  bool needs_weight_gradients() const {
    return at::GradMode::is_enabled() &&
           std::any_of(parameters_.begin(), parameters_.end(),
                       [](const auto& parameter) { return parameter.requires_grad(); });
  }

  Classifier model_;
  EngineOptions options_;
  Follower follower_;
  TrainingConvolutions training_;  // of the model's own forwards
  std::vector<at::Tensor> parameters_;
  std::vector<std::shared_ptr<torch::nn::Module>> modules_;
};

}  // namespace

Compiled try_compile(const Classifier& model, const EngineOptions& options) {
  try {
    const auto compiled = std::make_shared<CompiledClassifier>(model, options);
    return {.model = Classifier(compiled), .kernels = compiled->kernels()};
  } catch (const OptionError& error) {
    return {.model = model, .refusal = error.what()};
  }
}

Classifier compile(const Classifier& model, const EngineOptions& options) {
  auto compiled = try_compile(model, options);
  if (!compiled.refusal.empty())
    log_info("engine: not compiled, the model runs as it is: ", compiled.refusal);
  return compiled.model;
}

}  // namespace namid::engine
