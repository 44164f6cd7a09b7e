// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/mi/donsker_varadhan.h"
#include "namid/models/classifier.h"

namespace namid::mi {

/// What an estimator was made for; travels with its weights and is checked where it is used.
struct EstimatorInfo {
  models::Layer layer = models::Layer::logits;  ///< target's tensor that the global net reads
  std::int64_t units = 2048;                    ///< U
  std::int64_t num_classes = 0;
  std::vector<std::int64_t> input_shape;  ///< {C, H, W}
  attacks::Budget budget = {};            ///< of the attack it was trained with
  std::string objective;                  ///< "separate", "selected", "standard", "natural"
  std::string data;                       ///< name of the training set
  std::string target_sha256;              ///< weights of the target it was trained on
  /// Channels of that tensor; 0: num_classes for logits, 256 and 512 for the internal layers (those
  /// of a ResNet-18; other networks must say).
  std::int64_t layer_channels = 0;
  bool weak = false;  ///< a mean score on its own training data was negative, or none was known

  /// The objectives `standard` and `natural` train one pair of nets.
  bool has_one_pair() const { return objective == "standard" || objective == "natural"; }
};

/// Channels of the target's tensor at `layer` (columns of the logits). OptionError if the target
/// has no such layer.
std::int64_t layer_channels(const models::Classifier& target, models::Layer layer);

/// Local net + global net + DV bound: scores how much the model's output says about the local
/// input. A handle: copies share the nets, `clone` does not.
class Estimator {
 public:
  Estimator() = default;  ///< empty; only good to be assigned to
  /// Fresh nets, drawn from `seed`. OptionError for an unfit info.
  Estimator(const EstimatorInfo& info, std::uint64_t seed);

  bool defined() const { return local_ != nullptr; }

  /// Local features (N, U, K) of an image-like batch (N, C, H, W). No gradient flows back to x
  /// unless `differentiable` (attacks on the scores).
  at::Tensor local_features(const at::Tensor& x, bool differentiable = false) const;
  /// Global vectors (N, U) of the target's output (logits (N, C) or a feature map).
  at::Tensor global_vectors(const at::Tensor& output) const;
  /// ℓ(f, g), per sample and location (N, K), from `local_features(f)` and the target's output on
  /// g. N ≥ 2. Large batches are scored in blocks (blocked_dv.h).
  at::Tensor loss(const at::Tensor& local_features, const at::Tensor& output,
                  DvMask mask = DvMask::exclude) const;

  std::vector<at::Tensor> parameters() const;
  /// "local.<key>" and "global.<key>".
  TensorMap state_dict() const;
  /// Copies values in place; DataError for entries that are missing, unknown or unfit.
  void load_state_dict(const TensorMap& state) const;
  void train(bool on = true) const;
  /// Eval mode and no parameter requires a gradient: how estimators are used in stage 3.
  void freeze() const;
  bool is_frozen() const;
  void to(const at::Device& device) const;
  /// Parameters and BatchNorm statistics in another floating type.
  void to(at::ScalarType type) const;
  /// Nets of its own with equal weights, modes and flags; of an empty estimator an empty one.
  Estimator clone() const;

 private:
  std::shared_ptr<models::Network> local_, global_;
};

/// The natural estimator E_n (local input x) and the adversarial one E_a (local input x_adv − x).
/// With info.has_one_pair(), `natural` holds the only nets (local input: the image that the model
/// saw) and `adversarial` is empty.
struct EstimatorPair {
  Estimator natural;
  Estimator adversarial;
  EstimatorInfo info;

  EstimatorPair clone() const { return {natural.clone(), adversarial.clone(), info}; }
};

/// Fresh pair; both nets of both estimators are drawn from streams of `seed`.
EstimatorPair make_estimators(const EstimatorInfo& info, std::uint64_t seed);

/// One safetensors file with the nets under the reference's names (local_n.*, global_n.*,
/// local_a.*, global_a.*; the last two only for two pairs of nets) and the info in its metadata
/// ("namid.estimators", JSON).
void save_estimators(const std::filesystem::path& path, const EstimatorPair& pair);
/// On the CPU, in train mode. DataError if the file is not such a file.
EstimatorPair load_estimators(const std::filesystem::path& path);

/// What estimators may differ in from their use. norm: the released code uses L2 estimators in
/// L-inf training.
enum class EstimatorMismatch { none, norm };

struct EstimatorUse {
  attacks::Budget budget = {};  ///< of the attack they are used with
  EstimatorMismatch allow_mismatch = EstimatorMismatch::none;
  bool allow_weak = false;
};

/// Refuses (OptionError, both values named) estimators made for another class count, input shape or
/// norm, for a layer that `model` lacks or that has another channel count there, and weak ones.
/// Another epsilon, data set or target is the normal case.
void check_estimators(const EstimatorInfo& info, const models::Classifier& model,
                      const EstimatorUse& use);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::EstimatorMismatch> {
  static constexpr std::array kNames{"none", "norm"};
};
template <>
struct EnumNames<models::Layer> {
  static constexpr std::array kNames{"logits", "internal", "internal_last"};
};
}  // namespace namid
