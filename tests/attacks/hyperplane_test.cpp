// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/hyperplane.h"

#include <algorithm>

#include "attacks/toy.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

at::Tensor rows(const std::vector<double>& values, std::int64_t count) {
  return doubles(values).view({count, -1});
}

at::Tensor values_on(const at::Tensor& w, const at::Tensor& point) {
  return (w.to(at::kDouble) * point).flatten(1).sum(1);
}

/// Random points, some of them on the border, and weights, some of them 0 or equal; float64.
struct Problem {
  explicit Problem(std::uint64_t seed, Shape shape = {23}) {
    shape.insert(shape.begin(), 40);
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    const auto draw = [&] { return at::rand(shape, generator, at::kDouble); };
    t = (draw() * 1.6 - 0.3).clamp(0, 1);
    w = draw() * 2 - 1;
    w = at::where(draw() < 0.2, 0.0, at::where(draw() < 0.3, (w * 4).round() / 4, w));
    b = values_on(w, draw());
  }
  at::Tensor t, w, b;
};

/// What each coordinate may move towards the plane, and how far the plane is: plain numbers.
struct Row {
  std::vector<double> weight, room;
  double gap;

  Row(const Problem& all, std::int64_t i) {
    const auto t = all.t[i].contiguous(), w = all.w[i].contiguous();
    const double excess = (t * w).sum().item<double>() - all.b[i].item<double>();
    gap = std::abs(excess);
    for (std::int64_t k = 0; k < t.numel(); ++k) {
      const double at = t.data_ptr<double>()[k], slope = w.data_ptr<double>()[k];
      weight.push_back(std::abs(slope));
      room.push_back((excess > 0) == (slope > 0) ? at : 1 - at);
    }
  }
  double step(std::size_t k, double lambda, Norm norm) const {
    return std::min(norm == Norm::l2 ? lambda * weight[k] : lambda, room[k]);
  }
  double covered(double lambda, Norm norm) const {
    double sum = 0;
    for (std::size_t k = 0; k < weight.size(); ++k) sum += weight[k] * step(k, lambda, norm);
    return sum;
  }
  /// By bisection on the multiplier of the constraint.
  double smallest_norm(Norm norm) const {
    if (norm == Norm::l1) return smallest_l1();
    double low = 0, high = 1e6, square = 0;
    for (int i = 0; i < 200; ++i) {
      const double middle = (low + high) / 2;
      (covered(middle, norm) < gap ? low : high) = middle;
    }
    if (norm == Norm::linf) return high;
    for (std::size_t k = 0; k < weight.size(); ++k) square += std::pow(step(k, high, norm), 2);
    return std::sqrt(square);
  }
  /// The largest value of the dual, max_μ μ gap − Σ p max(μ |w| − 1, 0): piecewise linear with
  /// kinks at 1 / |w|.
  double smallest_l1() const {
    double best = 0;
    for (const double kink : weight) {
      if (kink == 0) continue;
      double value = gap / kink;
      for (std::size_t k = 0; k < weight.size(); ++k)
        value -= room[k] * std::max(weight[k] / kink - 1, 0.0);
      best = std::max(best, value);
    }
    return best;
  }
};

TEST(HyperplaneProjection, ReproducesTheReferenceValues) {
  const auto t = rows({.2, .5, .9, 0, .7, .1, .4, 1}, 2);
  const Hyperplane plane{rows({1, -2, .5, 3, -.3, .8, 1.2, -.5}, 2), doubles({2, 1.5})};
  const auto expect = [&](Norm norm, const std::vector<double>& d, double tolerance) {
    const auto found = hyperplane_projection(t, plane, norm);
    EXPECT_TRUE(at::allclose(found, rows(d, 2), 0, tolerance)) << to_string(norm) << found;
  };
  expect(Norm::linf,
         {.38333333, -.38333333, .1, .38333333, -.58928571, .58928571, .58928571, -.58928571},
         5e-9);
  expect(Norm::l2,
         {.16491227, -.32982454, .08245613, .49473679, -.28469387, .75918359, .6, -.47448975},
         1e-7);  // printed from float32
  expect(Norm::l1, {0, 0, 0, .78333333, 0, .9, .6, -.42}, 5e-9);
}

TEST(HyperplaneProjection, EndsOnThePlaneInsideTheBox) {
  for (const auto norm : kNorms) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const Problem problem(seed, {2, 3, 4});
      const auto d = hyperplane_projection(problem.t, {problem.w, problem.b}, norm);
      const auto moved = problem.t + d;
      EXPECT_TRUE(at::allclose(values_on(problem.w, moved), problem.b, 0, 1e-13));
      EXPECT_GE(moved.min().item<double>(), -1e-15);
      EXPECT_LE(moved.max().item<double>(), 1 + 1e-15);
      EXPECT_EQ(d.sizes(), problem.t.sizes());
      EXPECT_EQ((d * (problem.w == 0)).abs().max().item<double>(), 0) << "weight 0 stays";
    }
  }
}

TEST(HyperplaneProjection, ByRowsAndBySortingAreTheSame) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Problem problem(seed, {3, 11, 13});
    problem.b.narrow(0, 0, 10).add_(at::linspace(-400, 400, 10, at::kDouble));  // out of reach
    problem.w[10].zero_();
    problem.b[11].copy_(values_on(problem.w, problem.t)[11]);  // there already
    for (const auto norm : kNorms) {
      const Hyperplane plane{problem.w, problem.b};
      EXPECT_TRUE(at::allclose(hyperplane_projection(problem.t, plane, norm),
                               hyperplane_projection_by_sorting(problem.t, plane, norm), 0, 1e-13));
    }
  }
}

TEST(HyperplaneProjection, NoOtherPointOfPlaneAndBoxIsNearer) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Problem problem(seed);
    for (const auto norm : kNorms) {
      const auto d = hyperplane_projection(problem.t, {problem.w, problem.b}, norm);
      const auto length = sample_norms(d, norm);
      for (std::int64_t i = 0; i < d.size(0); ++i)
        EXPECT_NEAR(length[i].item<double>(), Row(problem, i).smallest_norm(norm), 1e-12);
    }
  }
}

TEST(HyperplaneProjection, AnUnreachablePlaneGivesTheBorder) {
  const Problem problem(7);
  const auto& [t, w, b] = problem;
  for (const auto norm : kNorms) {
    const auto low = hyperplane_projection(t, {w, b - 100}, norm);
    EXPECT_TRUE(at::allclose(t + low, at::where(w > 0, 0.0, at::where(w < 0, 1.0, t)), 0, 1e-15));
    const auto high = hyperplane_projection(t, {w, b + 100}, norm);
    EXPECT_TRUE(at::allclose(t + high, at::where(w > 0, 1.0, at::where(w < 0, 0.0, t)), 0, 1e-15));
  }
}

TEST(HyperplaneProjection, WithoutWeightsOrGapNothingMoves) {
  const Problem problem(3);
  const auto on_plane = values_on(problem.w, problem.t);
  for (const auto norm : kNorms) {
    for (const double b : {-1.0, 0.0, 2.0}) {
      const auto d = hyperplane_projection(
          problem.t, {at::zeros_like(problem.w), at::full_like(problem.b, b)}, norm);
      EXPECT_EQ(d.abs().max().item<double>(), 0) << "NaN would fail this too";
    }
    const auto d = hyperplane_projection(problem.t, {problem.w, on_plane}, norm);
    EXPECT_LE(d.abs().max().item<double>(), 1e-14);
  }
}

TEST(HyperplaneProjection, WeightsOfAnyScaleGiveTheSamePoint) {
  const Problem problem(4);
  for (const auto norm : kNorms) {
    const auto plain = hyperplane_projection(problem.t, {problem.w, problem.b}, norm);
    for (const double scale : {1e-30, 1e30, -1.0}) {
      const auto scaled =
          hyperplane_projection(problem.t, {problem.w * scale, problem.b * scale}, norm);
      EXPECT_TRUE(at::allclose(scaled, plain, 1e-10, 1e-12)) << to_string(norm) << scale;
    }
  }
}

TEST(HyperplaneProjection, EqualWeightsAndEqualRoomsAreMetExactly) {
  const auto t = at::full({1, 4}, 0.5, at::kDouble), w = at::ones({1, 4}, at::kDouble);
  const Hyperplane plane{w, doubles({0.8})};
  for (const auto norm : {Norm::linf, Norm::l2})
    EXPECT_TRUE(at::allclose(hyperplane_projection(t, plane, norm), rows({-.3, -.3, -.3, -.3}, 1)));
  EXPECT_TRUE(at::allclose(hyperplane_projection(t, plane, Norm::l1), rows({-.5, -.5, -.2, 0}, 1)));
}

TEST(HyperplaneProjection, RowsDoNotSeeEachOther) {
  const Problem problem(5);
  const auto& [t, w, b] = problem;
  for (const auto norm : kNorms) {
    const auto all = hyperplane_projection(t, {w, b}, norm);
    const auto some =
        hyperplane_projection(t.slice(0, 9, 12), {w.slice(0, 9, 12), b.slice(0, 9, 12)}, norm);
    EXPECT_TRUE(at::equal(some, all.slice(0, 9, 12)));
  }
}

}  // namespace
}  // namespace namid::attacks
