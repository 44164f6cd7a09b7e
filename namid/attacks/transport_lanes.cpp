// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/transport_lanes.h"

#include <limits>

// GCC's and clang's vectors, two side by side, so that one's latency is the other's turn. The
// bodies are inlined into one function per instruction set.
#define NAMID_INLINE [[gnu::always_inline]] inline

namespace namid::attacks {

using engine::InstructionSet;

namespace {

constexpr float kLeavesImage = 1e6F;  // kOutside (transport.h), which needs torch
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Vectors of `width` lanes; Half holds as many floats as Doubles doubles. GCC takes no sizes that
/// depend on a template's argument.
template <int width>
struct Vectors;
#define NAMID_VECTORS(width)                                                              \
  template <>                                                                             \
  struct Vectors<width> {                                                                 \
    using Floats [[gnu::vector_size(4 * width)]] = float;                                 \
    using Ints [[gnu::vector_size(4 * width)]] = std::int32_t;                            \
    using Half [[gnu::vector_size(2 * width)]] = float;                                   \
    using Doubles [[gnu::vector_size(4 * width)]] = double;                               \
    using Loose [[gnu::vector_size(4 * width), gnu::aligned(4), gnu::may_alias]] = float; \
  }
NAMID_VECTORS(4);
NAMID_VECTORS(8);
NAMID_VECTORS(16);

/// Two vectors of `width` lanes each.
template <int width>
struct Pair {
  using Floats = typename Vectors<width>::Floats;
  using Ints = typename Vectors<width>::Ints;
  using Loose = typename Vectors<width>::Loose;
  struct Mask {
    Ints a, b;
  };
  Floats a, b;

  NAMID_INLINE static Pair of(float value) { return {Floats{} + value, Floats{} + value}; }
  NAMID_INLINE static Pair load(const float* from) {
    return {*reinterpret_cast<const Loose*>(from), *reinterpret_cast<const Loose*>(from + width)};
  }
  NAMID_INLINE void store(float* to) const {
    *reinterpret_cast<Loose*>(to) = a;
    *reinterpret_cast<Loose*>(to + width) = b;
  }
  NAMID_INLINE friend Pair operator+(Pair x, Pair y) { return {x.a + y.a, x.b + y.b}; }
  NAMID_INLINE friend Pair operator-(Pair x, Pair y) { return {x.a - y.a, x.b - y.b}; }
  NAMID_INLINE friend Pair operator*(Pair x, Pair y) { return {x.a * y.a, x.b * y.b}; }
  NAMID_INLINE friend Pair operator/(Pair x, Pair y) { return {x.a / y.a, x.b / y.b}; }
  NAMID_INLINE friend Mask operator>(Pair x, Pair y) { return {x.a > y.a, x.b > y.b}; }
};

template <int width>
NAMID_INLINE Pair<width> where(typename Pair<width>::Mask mask, Pair<width> x, Pair<width> y) {
  return {mask.a ? x.a : y.a, mask.b ? x.b : y.b};
}

template <int width>
NAMID_INLINE bool differ(typename Pair<width>::Mask x, typename Pair<width>::Mask y) {
  using Longs [[gnu::vector_size(16)]] = std::int64_t;
  constexpr int kQuarters = width / 4;
  const auto other = (x.a ^ y.a) | (x.b ^ y.b);
  Longs parts[kQuarters], any = {};
  __builtin_memcpy(parts, &other, sizeof(other));
  for (int i = 0; i < kQuarters; ++i) any |= parts[i];
  return (any[0] | any[1]) != 0;
}

/// A float64 sum in each lane.
template <int width>
struct Sums {
  using Half = typename Vectors<width>::Half;
  using Doubles = typename Vectors<width>::Doubles;
  Doubles of[4] = {};

  NAMID_INLINE void add(Pair<width> values) {
    Half half[4];
    __builtin_memcpy(half, &values, sizeof(values));
    for (int i = 0; i < 4; ++i) of[i] += __builtin_convertvector(half[i], Doubles);
  }
  NAMID_INLINE Pair<width> rounded() const {
    Half half[4];
    for (int i = 0; i < 4; ++i) half[i] = __builtin_convertvector(of[i], Half);
    Pair<width> values;
    __builtin_memcpy(&values, half, sizeof(values));
    return values;
  }
};

/// exp of values ≤ 0 to 1e-7: 2^n e^r, r = x − n ln 2, Taylor's polynomial; below −87 it is 0.
template <int width>
NAMID_INLINE Pair<width> exp_of_negative(Pair<width> x) {
  using P = Pair<width>;
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRounding = 12582912;  // 1.5 · 2^23: adding it rounds to an integer
  constexpr float kTaylor[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1, 1};
  const auto vanishes = P::of(-87) > x;
  const P argument = where(vanishes, P::of(0), x);
  const P n = (argument * P::of(kLog2E) + P::of(kRounding)) - P::of(kRounding);
  const P r = (argument - n * P::of(kLn2High)) - n * P::of(kLn2Low);
  P sum = P::of(1.0F / 5040);
  for (const float term : kTaylor) sum = sum * r + P::of(term);
  const auto power = [](typename P::Floats of) {
    return reinterpret_cast<typename P::Floats>(
        (__builtin_convertvector(of, typename P::Ints) + 127) << 23);
  };
  return where(vanishes, P::of(0), sum * P{power(n.a), power(n.b)});
}

/// One pair of vectors of rows on its way from values to v.
template <int width>
struct Block {
  const float* values;
  const float* costs;
  float* v;
  std::int64_t moves;
  Pair<width> total;
};

/// θ with Σ_k max(v_k − θ, 0) = total. The sum is convex and falls in θ, so that Newton's steps
/// from the left (max v − total) rise to it and end once the support no longer shrinks.
template <int width>
NAMID_INLINE Pair<width> threshold(const Block<width>& block, Pair<width> top) {
  using P = Pair<width>;
  const P first = top - block.total;
  P theta = first, count = P::of(0);
  typename P::Mask before = {};
  for (std::int64_t pass = 0; pass <= block.moves; ++pass) {
    P sum = P::of(0);
    typename P::Mask members = {};
    for (std::int64_t k = 0; k < block.moves; ++k) {
      const P entry = P::load(block.v + k * kLanes);
      const auto above = entry > theta;
      sum = sum + where(above, entry, P::of(0));
      members.a -= above.a;
      members.b -= above.b;
    }
    if (!differ<width>(members, before)) break;
    count = {__builtin_convertvector(members.a, typename P::Floats),
             __builtin_convertvector(members.b, typename P::Floats)};
    theta = where(count > P::of(0), (sum - block.total) / count, first);
    before = members;
  }
  Sums<width> sums;
  for (std::int64_t k = 0; k < block.moves; ++k) {
    const P entry = P::load(block.v + k * kLanes);
    sums.add(where(entry > theta, entry, P::of(0)));
  }
  return where(count > P::of(0), (sums.rounded() - block.total) / count, first);
}

/// v: the simplex projections of values − λ costs.
template <int width>
NAMID_INLINE void project(const Block<width>& block, float lambda) {
  using P = Pair<width>;
  P top = P::of(-kInfinity);
  for (std::int64_t k = 0; k < block.moves; ++k) {
    const P cost = P::load(block.costs + k * kLanes);
    const P entry = P::load(block.values + k * kLanes) - cost * P::of(lambda);
    entry.store(block.v + k * kLanes);
    top = where(entry > top, entry, top);
  }
  const P theta = threshold<width>(block, top);
  for (std::int64_t k = 0; k < block.moves; ++k) {
    const P left = P::load(block.v + k * kLanes) - theta;
    where(left > P::of(0), left, P::of(0)).store(block.v + k * kLanes);
  }
}

/// v: total · softmax((values − λ costs) / gamma); nothing where a move leaves the image.
template <int width>
NAMID_INLINE void soften(const Block<width>& block, float lambda, float gamma) {
  using P = Pair<width>;
  P top = P::of(-kInfinity), sum = P::of(0);
  for (std::int64_t k = 0; k < block.moves; ++k) {
    const P cost = P::load(block.costs + k * kLanes);
    const P value = P::load(block.values + k * kLanes);
    const P score = (value - cost * P::of(lambda)) / P::of(gamma);
    const P entry = where(P::of(kLeavesImage) > cost, score, P::of(-kInfinity));
    entry.store(block.v + k * kLanes);
    top = where(entry > top, entry, top);
  }
  for (std::int64_t k = 0; k < block.moves; ++k) {
    const P share = exp_of_negative<width>(P::load(block.v + k * kLanes) - top);
    share.store(block.v + k * kLanes);
    sum = sum + share;
  }
  for (std::int64_t k = 0; k < block.moves; ++k)
    (P::load(block.v + k * kLanes) / sum * block.total).store(block.v + k * kLanes);
}

template <int width>
NAMID_INLINE double all_blocks(const RowBlocks& all, const Trial& trial, float* rows,
                               float* scratch) {
  using P = Pair<width>;
  const auto size = all.moves * kLanes;
  double lanes[kLanes], cost = 0;
  for (int lane = 0; lane < kLanes; lane += 2 * width) {
    Sums<width> sums;
    for (std::int64_t b = 0; b < all.blocks; ++b) {
      const Block<width> block{.values = all.values + b * size + lane,
                               .costs = all.costs + b * size + lane,
                               .v = (rows ? rows + b * size : scratch) + lane,
                               .moves = all.moves,
                               .total = P::load(all.totals + b * kLanes + lane)};
      if (trial.gamma == 0)
        project<width>(block, trial.lambda);
      else
        soften<width>(block, trial.lambda, trial.gamma);
      for (std::int64_t k = 0; k < all.moves; ++k)
        sums.add(P::load(block.v + k * kLanes) * P::load(block.costs + k * kLanes));
    }
    __builtin_memcpy(lanes + lane, sums.of, sizeof(sums.of));
  }
  for (const double of_lane : lanes) cost += of_lane;
  return cost;
}

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl")]] double with_avx512(const RowBlocks& all,
                                                                         const Trial& trial,
                                                                         float* rows,
                                                                         float* scratch) {
  return all_blocks<16>(all, trial, rows, scratch);
}

[[gnu::target("avx2")]] double with_avx2(const RowBlocks& all, const Trial& trial, float* rows,
                                         float* scratch) {
  return all_blocks<8>(all, trial, rows, scratch);
}
#endif

double with_baseline(const RowBlocks& all, const Trial& trial, float* rows, float* scratch) {
  return all_blocks<4>(all, trial, rows, scratch);
}

}  // namespace

double sum_of_products(const float* a, const float* b, std::int64_t count) {
  using P = Pair<4>;
  Sums<4> sums;
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) sums.add(P::load(a + i) * P::load(b + i));
  double lanes[8], total = 0;
  __builtin_memcpy(lanes, sums.of, sizeof(sums.of));
  for (const double lane : lanes) total += lane;
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

double rows_at(const RowBlocks& blocks, const Trial& trial, float* rows, float* scratch,
               InstructionSet instructions) {
#if defined(__x86_64__)
  if (instructions == InstructionSet::avx512) return with_avx512(blocks, trial, rows, scratch);
  if (instructions == InstructionSet::avx2) return with_avx2(blocks, trial, rows, scratch);
#endif
  return with_baseline(blocks, trial, rows, scratch);
}

}  // namespace namid::attacks
