// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

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
  std::string objective;                  ///< "separate", "selected", ...
  std::string data;                       ///< name of the training set
  std::string target_sha256;              ///< weights of the target it was trained on
};

/// Local net + global net + DV bound: scores how much the model's output says about the local
/// input.
class Estimator {
 public:
  Estimator() = default;
  /// Fresh nets, drawn from `seed`.
  Estimator(const EstimatorInfo& info, std::uint64_t seed);

  /// Local features (N, U, K) of an image-like batch (N, C, H, W).
  at::Tensor local_features(const at::Tensor& x) const;
  /// Global vectors (N, U) of the target's output (logits (N, C) or a feature map).
  at::Tensor global_vectors(const at::Tensor& output) const;
  /// ℓ(f, g), per sample and location (N, K), from `local_features(f)` and the target's output on
  /// g.
  at::Tensor loss(const at::Tensor& local_features, const at::Tensor& output,
                  DvMask mask = DvMask::exclude) const;

  std::vector<at::Tensor> parameters() const;
  /// "local.<key>" and "global.<key>".
  TensorMap state_dict() const;
  void load_state_dict(const TensorMap& state) const;
  void train(bool on = true) const;
  /// Eval mode and no parameter requires a gradient: how estimators are used in stage 3.
  void freeze() const;

 private:
  std::shared_ptr<models::Network> local_, global_;
};

/// The natural estimator E_n (local input x) and the adversarial one E_a (local input x_adv − x).
struct EstimatorPair {
  Estimator natural;
  Estimator adversarial;
  EstimatorInfo info;
};

/// Fresh pair; both nets of both estimators are drawn from streams of `seed`.
EstimatorPair make_estimators(const EstimatorInfo& info, std::uint64_t seed);

/// One safetensors file with the four nets under the reference's names (local_n.*, global_n.*,
/// local_a.*, global_a.*) and the info in its metadata.
void save_estimators(const std::filesystem::path& path, const EstimatorPair& pair);
/// DataError if the file is not such a file.
EstimatorPair load_estimators(const std::filesystem::path& path);

/// Refuses (OptionError) estimators made for another class count, input shape, layer or norm.
void check_estimators(const EstimatorInfo& info, const models::ClassifierInfo& model,
                      const attacks::Budget& budget, bool allow_norm_mismatch = false);

}  // namespace namid::mi
