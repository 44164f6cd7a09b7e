// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/compile.h"

#include <mutex>

#include "namid/core/error.h"
#include "namid/core/log.h"
#include "namid/engine/input_gradient.h"
#include "namid/engine/network.h"
#include "namid/engine/plain.h"
#include "namid/engine/region_forward.h"
#include "namid/engine/training_convolutions.h"
#include "namid/engine/weight_source.h"
#include "namid/models/handle_impl.h"
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

class CompiledClassifier final : public models::HandleImpl {
 public:
  CompiledClassifier(const Classifier& model, const EngineOptions& options)
      : HandleImpl(model),
        options_(options),
        follower_(model, options),
        parameters_(model.parameters()) {
    if (const auto network = model.network()) modules_ = network->modules();
  }

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    const bool usual = x.sizes().slice(1) == at::IntArrayRef(info().input_shape);
    const bool trained = is_trained();
    if (layer == Layer::logits && usual && x.size(0) > 0 && is_plain(x) && runs_here() && !trained)
      return logits_of(follower_.network(), model_, x);
    std::optional<models::ConvolutionScope> scope;
    if (trained && options_.kernel != Kernel::direct) scope.emplace(training_);
    return by_model(x, layer);
  }
  std::unique_ptr<models::RegionForward> region_forward(std::int64_t rows) override {
    if (is_trained() || !runs_here()) return nullptr;
    return engine::region_forward(follower_.network(), rows);
  }

  std::string kernels() { return follower_.network()->kernels(); }

  Classifier clone() const override { return compile(model_.clone(), options_); }

 private:
  bool runs_here() const { return model_.device().is_cpu() && is_plain_call(); }
  bool is_trained() const { return !in_eval_mode() || needs_weight_gradients(); }
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

  EngineOptions options_;
  Follower follower_;
  TrainingConvolutions training_;  // of the model's own forwards
  std::vector<at::Tensor> parameters_;
  std::vector<std::shared_ptr<torch::nn::Module>> modules_;
};

/// Once in a process: what the automatic choice of kernels goes without on this machine.
void say_what_is_missing() {
  static std::once_flag said;
  const auto missing = shortcoming(best_instruction_set());
  if (!missing.empty()) std::call_once(said, [&] { log_info("engine: ", missing); });
}

}  // namespace

Compiled try_compile(const Classifier& model, const EngineOptions& options) {
  try {
    const auto compiled = std::make_shared<CompiledClassifier>(model, options);
    if (options.kernel == Kernel::automatic) say_what_is_missing();
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
