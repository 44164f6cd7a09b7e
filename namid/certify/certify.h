// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/certify/affine_network.h"
#include "namid/certify/alpha_crown.h"
#include "namid/certify/input_set.h"

namespace namid::certify {

/// How far to go. Each method computes the bounds of those before it that cost little beside it
/// and keeps the best of every row:
///   interval      interval
///   fast_lin      interval, Fast-Lin
///   crown         interval, CROWN, and Fast-Lin's slopes in the last backward pass
///   alpha_crown   the same, then α-CROWN on the rows that are not proven yet
enum class Method { interval, fast_lin, crown, alpha_crown };

struct CertifyOptions {
  Method method = Method::alpha_crown;
  bool box = true;
  bool intersect = true;
  bool fp32 = false;
  AlphaCrownOptions alpha = {};
  std::int64_t block_mib = 256;
  static constexpr auto fields() {
    using T = CertifyOptions;
    return std::tuple{
        field("method", &T::method, "interval, fast-lin, crown or alpha-crown"),
        field("box", &T::box,
              "images stay in [0,1]; false: the whole ball, for comparison with figures that leave "
              "the box out"),
        field("intersect", &T::intersect,
              "intermediate bounds no looser than interval arithmetic; false: backward bounds of "
              "every neuron alone, as in the papers"),
        field("fp32", &T::fp32,
              "certify the float32 network: a bound must exceed what its rounding can do too"),
        field("alpha", &T::alpha, ""),
        field("block_mib", &T::block_mib, "memory for rows that are bounded together, MiB",
              at_least(1))};
  }
};
NAMID_CHECK_FIELDS(CertifyOptions);

/// What is proven of a batch; a vector (N) on the CPU each.
struct Certificates {
  at::Tensor certified;  ///< bool: no image of the set has another class than y
  at::Tensor bound;  ///< float64: lower bound of z_y − z_t, of the rival that is nearest to it
  at::Tensor rival;  ///< int64: that t
  at::Tensor threshold;  ///< float64: what the bound has to exceed: the rounding margin, with fp32
                         ///< the float32 slack too
  at::Tensor slack;      ///< float64: about what float32 logits can be off by in that difference
};

/// Certificates of images x (N, ...) with labels y (N) for every image within `budget`: every row
/// of the specification must exceed its threshold, and x itself must be classified as y, which that
/// implies. Sound for the network in exact arithmetic. Deterministic; rows of other samples change
/// a bound by rounding alone. std::logic_error, a defect, if a bound exceeds the margin at x.
Certificates certify(const AffineNetwork& network, const at::Tensor& x, const at::Tensor& y,
                     const attacks::Budget& budget, const CertifyOptions& options = {});

}  // namespace namid::certify

namespace namid {
template <>
struct EnumNames<certify::Method> {
  static constexpr std::array kNames{"interval", "fast-lin", "crown", "alpha-crown"};
};
}  // namespace namid
