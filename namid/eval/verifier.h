// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/eval/coupling.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// How the draws of a model that draws random numbers answered on one image.
struct Votes {
  std::int64_t right = 0;           ///< draws that gave y
  std::int64_t most = 0, next = 0;  ///< draws that gave the two most frequent classes
};

/// How a model sees one image.
struct Reading {
  bool finite = false;          ///< every logit is finite
  std::int64_t prediction = 0;  ///< class of the largest logit, the first of several
  double margin = 0;            ///< z_y − max_{c≠y} z_c
  Votes votes = {};             ///< of several draws alone
};

/// Reads logits (N, C ≥ 2) at labels y (N).
std::vector<Reading> read_logits(const at::Tensor& logits, const at::Tensor& y);

/// Forward of x in float32 and eval mode without gradients, read at y; of several draws of a model
/// that draws random numbers, the most frequent prediction and the mean margin. OptionError if the
/// model does not give (N, num_classes).
std::vector<Reading> read_model(const models::Classifier& model, const at::Tensor& x,
                                const at::Tensor& y, int draws = 1);

/// Why an image is no adversarial example; `none`: it is one.
enum class Refusal { none, not_finite, outside_ball, outside_box, not_misclassified };

/// The same image in 8 bits (eight_bit.h).
struct EightBit {
  bool inside = false;  ///< an 8-bit image within ball and box was found
  std::int64_t prediction = 0;
  bool misclassified = false;
  bool broken() const { return inside && misclassified; }
};

/// What is true of one claimed adversarial image.
struct Verdict {
  bool finite = false;    ///< image and logits
  bool in_ball = false;   ///< within the tolerance
  bool in_box = false;    ///< [0,1], without tolerance
  double beyond_box = 0;  ///< how far the worst pixel lies outside of [0,1]
  double linf = 0, l2 = 0, l1 = 0;
  double l0 = 0;                          ///< entries that differ
  std::optional<Coupling> coupling = {};  ///< of a Wasserstein budget alone
  bool misclassified = false;
  Reading reading;
  std::optional<EightBit> eight_bit = {};  ///< a column of its own: never changes broken()

  /// Finite, in the ball and in the box.
  bool valid() const { return finite && in_ball && in_box; }
  /// Counts as an adversarial example.
  bool broken() const { return refusal() == Refusal::none; }
  /// The first reason against it.
  Refusal refusal() const;
  /// wasserstein: the coupling's mean cost, infinite without a valid one.
  double norm(attacks::Norm kind) const;
};

/// An image that is said to be adversarial, and of Norm::wasserstein the plan that is said to make
/// it (check_couplings).
struct Claimed {
  at::Tensor x_adv;
  at::Tensor plan = {};
  Claimed(at::Tensor image, at::Tensor coupling = {})  // NOLINT: implicit by design
      : x_adv(std::move(image)), plan(std::move(coupling)) {}
};

/// The refusal in words and figures: "outside the ball: linf 0.101 exceeds 0.1 by 0.001"; empty for
/// a broken image.
std::string refusal_text(const Verdict& verdict, const attacks::Budget& budget);

/// Largest norm that passes for epsilon: L∞ epsilon + 1e-6, L2 and L1 epsilon (1 + 1e-5), L0
/// epsilon, wasserstein epsilon (1 + 1e-3), none infinity.
double allowed_norm(const attacks::Budget& budget);

/// Checks x_adv against x, y and the budget with forwards of its own (`draws`); norms are
/// accumulated in float64; wasserstein: the plan must be a coupling. Shares no code with the
/// attacks. x, x_adv: float32 (N, ...), y: int64 (N). DataError if x_adv is not float32 or its
/// shape is not that of x.
std::vector<Verdict> verify(const models::Classifier& model, const at::Tensor& x,
                            const Claimed& claimed, const at::Tensor& y,
                            const attacks::Budget& budget, int draws = 1);

}  // namespace namid::eval

namespace namid {
template <>
struct EnumNames<eval::Refusal> {
  static constexpr std::array kNames{"none", "not-finite", "outside-ball", "outside-box",
                                     "not-misclassified"};
};
}  // namespace namid
