// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/classifier.h"

namespace namid::models {

/// OptionError for a class count, input shape or normalisation that cannot be.
void check_info(const ClassifierInfo& info);

/// What stands behind a Classifier. Inputs of forward have been through `normalised`.
class ClassifierImpl {
 public:
  explicit ClassifierImpl(ClassifierInfo info);  ///< OptionError for an impossible info
  virtual ~ClassifierImpl() = default;
  ClassifierImpl(const ClassifierImpl&) = delete;
  ClassifierImpl& operator=(const ClassifierImpl&) = delete;

  const ClassifierInfo& info() const { return info_; }
  /// (x - mean) / std; OptionError if x is no float batch of the input shape (any_size: of its
  /// rank and channels).
  virtual at::Tensor normalised(const at::Tensor& x, bool any_size = false) const;

  virtual at::Tensor forward(const at::Tensor& x, Layer layer) = 0;
  virtual bool has_layer(Layer layer) const = 0;
  virtual std::shared_ptr<Network> network() const { return nullptr; }
  virtual std::vector<at::Tensor> parameters() const = 0;
  virtual TensorMap state_dict() const = 0;
  virtual void load_state_dict(const TensorMap& state) = 0;
  virtual void train(bool on) = 0;
  virtual bool is_training() const = 0;
  virtual at::Device device() const = 0;
  virtual void to(const at::Device& device) = 0;
  virtual void use_channels_last(bool on) = 0;
  virtual Classifier clone() const = 0;
  virtual std::shared_ptr<void> frozen_eval() = 0;
  virtual std::unique_ptr<RegionForward> region_forward(std::int64_t rows);  ///< null

 protected:
  /// The OptionError of `normalised`.
  void check_images(const at::Tensor& x, bool any_size) const;
  void move_normalisation(const at::Device& device);

 private:
  ClassifierInfo info_;
  at::Tensor mean_, std_;  // float64 (1, C, 1, ...), undefined without normalisation
};

std::shared_ptr<ClassifierImpl> wrap_network(std::shared_ptr<Network> network, ClassifierInfo info);
std::shared_ptr<ClassifierImpl> wrap_function(Classifier::Function function, ClassifierInfo info,
                                              std::vector<at::Tensor> parameters);

}  // namespace namid::models
