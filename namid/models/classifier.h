// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "namid/run/tensor_file.h"

namespace namid::models {

/// Which tensor of a network is read: the logits, or a feature map before them (ResNets: output of
/// stage 3 and of stage 4; the estimators' "internal" modes of the reference code).
enum class Layer { logits, internal, internal_last };

/// What is known of a classifier besides its function.
struct ClassifierInfo {
  std::string name;                       ///< "resnet18", or a caller's own word
  std::int64_t num_classes = 0;           ///< columns of the logits, at least 2
  std::vector<std::int64_t> input_shape;  ///< of one sample, e.g. {3, 32, 32}
  std::vector<double> mean = {};  ///< per channel, subtracted from images in [0,1]; empty: none
  std::vector<double> std = {};   ///< per channel, divides afterwards; as long as `mean`
  /// Options of the registry that build the network again (key → text); empty for anything else.
  std::map<std::string, std::string> recipe = {};
};

class ClassifierImpl;
class Network;
class RegionForward;

/// Images in [0,1] → logits. A handle with the semantics of shared_ptr: copies share the network.
/// Built-in networks, programs out of files and callables are all Classifiers; nothing downstream
/// asks which.
class Classifier {
 public:
  using Function = std::function<at::Tensor(const at::Tensor&)>;

  Classifier() = default;  ///< empty; only good to be assigned to
  /// A built-in network.
  Classifier(std::shared_ptr<Network> network, ClassifierInfo info);
  /// A program out of a file, or whatever else implements classifier_impl.h.
  explicit Classifier(std::shared_ptr<ClassifierImpl> impl) : impl_(std::move(impl)) {}
  /// Any differentiable function of a float batch (N, *input_shape) to logits (N, num_classes).
  Classifier(Function function, ClassifierInfo info, std::vector<at::Tensor> parameters = {});

  const ClassifierInfo& info() const;

  /// Logits (N, num_classes) of x (N, *input_shape) in [0,1]; normalises first.
  at::Tensor operator()(const at::Tensor& x) const;
  /// Logits of images of other rows and columns than the input shape has; a network that cannot
  /// take them throws an error of its own.
  at::Tensor at_any_size(const at::Tensor& x) const;
  /// The tensor at `layer`; OptionError where the classifier has no such layer.
  at::Tensor operator()(const at::Tensor& x, Layer layer) const;

  std::vector<at::Tensor> parameters() const;
  /// Parameters and buffers by name, in registration order; tensors are shared, not copied.
  TensorMap state_dict() const;
  /// Copies values in place. Every entry must be there with its shape and dtype, nothing else may:
  /// DataError names what is missing, unknown or of another shape.
  void load_state_dict(const TensorMap& state) const;

  void train(bool on = true) const;
  bool is_training() const;
  at::Device device() const;
  void to(const at::Device& device) const;
  /// A deep copy. OptionError for a callable, whose state is not ours.
  Classifier clone() const;
  /// Convolutions in channels-last memory order (or back); results change only by rounding.
  /// OptionError for a callable; a program out of a file that needs one order keeps it.
  void use_channels_last(bool on) const;
  /// True where operator() with `layer` can answer.
  bool has_layer(Layer layer) const;
  /// The built-in network behind it, for what works module by module; null for a callable.
  std::shared_ptr<Network> network() const;
  /// Forwards of so many images that differ in a rectangle (region_forward.h), in the state that it
  /// is in; null where it makes whole forwards alone.
  std::unique_ptr<RegionForward> region_forward(std::int64_t rows) const;

  /// Puts every module in eval mode and every parameter to requires_grad = false, and restores
  /// exactly what was there, module by module, when the last copy of the returned token goes.
  [[nodiscard]] std::shared_ptr<void> frozen_eval() const;

 private:
  std::shared_ptr<ClassifierImpl> impl_;
};

}  // namespace namid::models
