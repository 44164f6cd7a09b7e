// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// How a model sees one image.
struct Reading {
  bool finite = false;          ///< every logit is finite
  std::int64_t prediction = 0;  ///< class of the largest logit, the first of several
  double margin = 0;            ///< z_y − max_{c≠y} z_c
};

/// Reads logits (N, C ≥ 2) at labels y (N).
std::vector<Reading> read_logits(const at::Tensor& logits, const at::Tensor& y);

/// Forward of x in float32 and eval mode without gradients, read at y. OptionError if the model
/// does not give (N, num_classes).
std::vector<Reading> read_model(const models::Classifier& model, const at::Tensor& x,
                                const at::Tensor& y);

/// What is true of one claimed adversarial image.
struct Verdict {
  bool finite = false;   ///< image and logits
  bool in_ball = false;  ///< within the tolerance
  bool in_box = false;   ///< [0,1], without tolerance
  double linf = 0, l2 = 0, l1 = 0;
  bool misclassified = false;
  Reading reading;
  /// Counts as an adversarial example.
  bool broken() const { return finite && in_ball && in_box && misclassified; }
};

/// Largest norm that passes for epsilon: L∞ epsilon + 1e-6, L2 and L1 epsilon (1 + 1e-5).
double allowed_norm(const attacks::Budget& budget);

/// Checks x_adv against x, y and the budget with one forward of its own; norms are accumulated in
/// float64. Shares no code with the attacks. x, x_adv: float32 (N, ...), y: int64 (N). DataError
/// if x_adv is not float32 or its shape is not that of x.
std::vector<Verdict> verify(const models::Classifier& model, const at::Tensor& x,
                            const at::Tensor& x_adv, const at::Tensor& y,
                            const attacks::Budget& budget);

}  // namespace namid::eval
