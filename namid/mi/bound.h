// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <span>
#include <string_view>

#include "namid/core/options.h"

namespace namid::mi {

/// Every score and bound of this folder, in the order of `bound_table`.
enum class Bound {
  dv,
  dv_pooled,
  dv_units,
  dv_dim,
  fd_gan,
  fd_jsd,
  fd_x2,
  fd_kl,
  fd_rkl,
  fd_dv,
  fd_h2,
  fd_w1,
  info_nce,
  nce_locations,
  nwj,
  tuba,
  interpolated,
  smile,
  leave_one_out,
  club,
  club_learned
};

/// What the value −loss (upper bounds: the value) is of the mutual information, for a critic that
/// was not fitted to the samples it is read on.
enum class BoundKind { lower, upper, neither };

/// What `namid list bounds` tells.
struct BoundInfo {
  Bound bound;
  BoundKind kind;
  std::string_view holds;  ///< "in expectation, any N", "only as N grows", or "" for neither
  std::string_view paper;  ///< key in docs/papers.bib
  std::string_view note;   ///< one line
};
std::span<const BoundInfo> bound_table();
const BoundInfo& bound_info(Bound bound);

/// A bound on a score tensor and its parameters.
struct BoundOptions {
  Bound bound = Bound::info_nce;
  double alpha = 0.5;       ///< interpolated
  double tau = 5;           ///< smile
  double log_baseline = 1;  ///< tuba, interpolated; 1: the baseline e of nwj
  static constexpr auto fields() {
    using T = BoundOptions;
    return std::tuple{
        field("bound", &T::bound, "what is maximised and reported (namid list bounds)"),
        field("alpha", &T::alpha, "interpolated: 0 is tuba, 1 is info-nce", between(0, 1)),
        field("tau", &T::tau, "smile: ratios of negatives are clipped to e^-tau, e^tau", above(0)),
        field("log_baseline", &T::log_baseline, "tuba, interpolated: log of the baseline")};
  }
};
NAMID_CHECK_FIELDS(BoundOptions);

/// The loss (N, K) of a bound on scores (N, N, K): −loss is the value in nats, a sample's loss its
/// mean over locations, a batch's the mean of all; own pairs are excluded from the negatives.
/// dv_dim has no value per sample: its scalar stands in every place. OptionError for bounds that do
/// not read scores (dv_units reads the features; leave_one_out, club and club_learned log
/// densities), for options out of range and for unfit shapes.
at::Tensor bound_loss(const at::Tensor& scores, const BoundOptions& options);

}  // namespace namid::mi

namespace namid {
template <>
struct EnumNames<mi::Bound> {
  static constexpr std::array kNames{
      "dv",    "dv-pooled", "dv-units",     "dv-dim", "fd-gan",        "fd-jsd",   "fd-x2",
      "fd-kl", "fd-rkl",    "fd-dv",        "fd-h2",  "fd-w1",         "info-nce", "nce-locations",
      "nwj",   "tuba",      "interpolated", "smile",  "leave-one-out", "club",     "club-learned"};
};
template <>
struct EnumNames<mi::BoundKind> {
  static constexpr std::array kNames{"lower", "upper", "neither"};
};
}  // namespace namid
