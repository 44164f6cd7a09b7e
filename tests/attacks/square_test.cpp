// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/square.h"

#include <ATen/CPUGeneratorImpl.h>

#include "attacks/toy.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/square_sampler.h"

namespace namid::attacks {
namespace {

SquareOptions options_for(Norm norm, double epsilon, int queries = 300) {
  return {.budget = {norm, epsilon}, .queries = queries};
}

SampleIds first_ids(std::int64_t count) {
  SampleIds ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(static_cast<std::uint64_t>(i));
  return ids;
}

/// (N, H, W): pixels in which a proposal differs from the best point in some channel.
at::Tensor changed_pixels(const at::Tensor& x_new, const at::Tensor& best) {
  return (x_new != best).any(1);
}

TEST(Square, FoolsALinearModelAtALargeEpsilon) {
  const auto model = golden_linear();
  const auto x = images(4, {3, 8, 8}), y = model(x).argmax(1);
  for (const auto& [norm, epsilon] :
       std::vector<std::pair<Norm, double>>{{Norm::linf, 0.4}, {Norm::l2, 4}, {Norm::l1, 40}}) {
    const auto result = square(model, x, y, options_for(norm, epsilon, 1000));
    EXPECT_TRUE(result.success.all().item<bool>()) << to_string(norm);
  }
}

TEST(Square, ComesNearTheOptimumOfALinearModel) {
  const auto weight = wave({2, 192}, 0.2, 0.37);
  const auto model = linear(weight, at::tensor({1e3F, 0.F}), {3, 8, 8});
  const auto x = images(4, {3, 8, 8}, 0.2), y = at::zeros({4}, at::kLong);
  const auto slope = weight[1] - weight[0];
  const auto clean = attack_loss(AttackLoss::margin, model(x), y);
  const auto gain = [&](Norm norm, double epsilon) {
    return square(model, x, y, options_for(norm, epsilon, 1500)).loss - clean;
  };
  EXPECT_GE(gain(Norm::linf, 0.1).min().item<double>(),
            0.9 * 0.1 * slope.abs().sum().item<double>());
  EXPECT_GE(gain(Norm::l2, 0.5).min().item<double>(), 0.4 * 0.5 * slope.norm().item<double>());
  EXPECT_GE(gain(Norm::l1, 0.3).min().item<double>(), 0.7 * 0.3 * slope.abs().max().item<double>());
}

TEST(Square, LinfPerturbationsLieOnTheBorderOfBallOrBox) {
  const auto model = curved({3, 5, 7});
  const auto x = images(6, {3, 5, 7}), y = model(x).argmax(1);
  const double epsilon = 0.01;
  const auto result = square(model, x, y, options_for(Norm::linf, epsilon));
  const auto moved = (result.step > 0).nonzero().squeeze(1);
  ASSERT_GT(moved.numel(), 0);
  const auto x_adv = result.x_adv.index_select(0, moved);
  const auto length = (x_adv - x.index_select(0, moved)).abs();
  EXPECT_TRUE(((length - epsilon).abs().lt(1e-6) | (x_adv == 0) | (x_adv == 1)).all().item<bool>());
}

TEST(Square, TheLossOnlyRisesAfterTheStart) {
  const auto model = curved({1, 8, 8});
  const auto x = images(1, {1, 8, 8}), y = model(x).argmax(1);
  for (const auto norm : kNorms) {
    std::vector<double> losses;
    const auto watch = [&](int step, double loss) {
      EXPECT_EQ(step, static_cast<int>(losses.size()));
      losses.push_back(loss);
    };
    square(model, x, y, options_for(norm, norm == Norm::linf ? 0.002 : 0.01), {.observe = watch});
    ASSERT_GE(losses.size(), 3u);
    for (std::size_t i = 2; i < losses.size(); ++i) EXPECT_GE(losses[i], losses[i - 1]);
    EXPECT_GT(losses.back(), losses[1]) << to_string(norm);
  }
}

TEST(Square, ASampleGetsTheSameProposalsAloneAndInABatch) {
  const Context context{.random = Random(7, "square")};
  const auto x = images(4, {3, 6, 9});
  for (const auto norm : kNorms) {
    for (const auto windows : {Windows::per_sample, Windows::shared}) {
      auto options = options_for(norm, 0.1);
      options.windows = windows;
      const SquareSampler together(x, first_ids(4), 2, options, context);
      const SquareSampler alone(x.slice(0, 2, 3).contiguous(), {2}, 2, options, context);
      const auto best = together.start();
      EXPECT_TRUE(same_bits(alone.start()[0], best[2]));
      for (const int iteration : {0, 20, 100, 3000})
        EXPECT_TRUE(same_bits(alone.proposal(best.slice(0, 2, 3), iteration)[0],
                              together.proposal(best, iteration)[2]));
    }
  }
}

TEST(Square, AResultDoesNotMoveWithTheNeighboursOfAFixedBatch) {
  const auto model = curved({1, 8, 8});
  const auto x = images(6, {1, 8, 8}), y = model(x).argmax(1);
  auto other_y = y.clone();
  other_y.slice(0, 3) = (other_y.slice(0, 3) + 1) % 4;  // done at once
  for (const auto norm : kNorms) {
    const auto options = options_for(norm, norm == Norm::linf ? 0.05 : 0.3, 60);
    const Context context{.random = Random(1, "square"), .ids = first_ids(6), .compact = false};
    const auto first = square(model, x, y, options, context);
    const auto second = square(model, x, other_y, options, context);
    EXPECT_TRUE(same_bits(first.x_adv.slice(0, 0, 3), second.x_adv.slice(0, 0, 3)));
    EXPECT_TRUE(at::equal(first.forwards.slice(0, 0, 3), second.forwards.slice(0, 0, 3)));
    EXPECT_TRUE(same_bits(second.x_adv.slice(0, 3), x.slice(0, 3))) << "frozen when fooled";
  }
}

TEST(Square, SharedWindowsAreTheSameForAllRowsAndOtherwiseTheyDiffer) {
  const auto x = images(5, {2, 9, 9}, 0.2);
  const Context context{.random = Random(3, "square")};
  for (const auto windows : {Windows::per_sample, Windows::shared}) {
    auto options = options_for(Norm::linf, 0.1);
    options.windows = windows;
    const SquareSampler sampler(x, first_ids(5), 0, options, context);
    int equal = 0;
    bool signs_differ = false;
    for (int iteration = 201; iteration < 231; ++iteration) {
      const auto delta = sampler.proposal(x, iteration) - x;
      const auto changed = (delta != 0).any(1);
      equal += (changed == changed.slice(0, 0, 1)).all().item<bool>();
      signs_differ |= (delta.flatten(1).sign().sum(1).diff() != 0).any().item<bool>();
    }
    EXPECT_EQ(equal == 30, windows == Windows::shared) << equal;
    EXPECT_TRUE(signs_differ);
  }
}

TEST(Square, WindowPositionsAreUniform) {
  auto options = options_for(Norm::linf, 0.1);
  options.p_init = 9.0 / 25;  // 3 x 3 windows on 5 x 5
  const std::int64_t count = 900;
  const auto x = images(1, {1, 5, 5}, 0.2).expand({count, 1, 5, 5}).contiguous();
  const Context context{.random = Random(11, "square")};
  const SquareSampler sampler(x, first_ids(count), 0, options, context);
  auto hits = at::zeros({3, 3}, at::kLong);
  for (int iteration = 0; iteration < 10; ++iteration) {
    const auto middle =
        changed_pixels(sampler.proposal(x, iteration), x).slice(1, 2, 3).slice(2, 2, 3);
    EXPECT_TRUE(middle.all().item<bool>()) << "every 3 x 3 window covers the middle";
    const auto changed = changed_pixels(sampler.proposal(x, iteration), x);
    hits += changed.slice(1, 0, 3).slice(2, 0, 3).sum(0);
  }
  // Pixel (r, c) of the upper left 3 x 3 is covered by (r + 1)(c + 1) of the 9 windows.
  for (std::int64_t r = 0; r < 3; ++r) {
    for (std::int64_t c = 0; c < 3; ++c) {
      const double share = static_cast<double>((r + 1) * (c + 1)) / 9, draws = 10.0 * count;
      EXPECT_NEAR(hits[r][c].item<double>(), draws * share,
                  4.5 * std::sqrt(draws * share * (1 - share)) + 1e-9);
    }
  }
}

TEST(Square, MovesMassWithoutLeavingTheWindows) {
  const auto x = images(3, {2, 12, 12}, 0.1);
  const Context context{.random = Random(5, "square")};
  const auto options = options_for(Norm::l2, 0.5);
  const SquareSampler sampler(x, first_ids(3), 0, options, context);
  const auto best = sampler.start();
  const auto x_new = sampler.proposal(best, 5000);  // 3 x 3 windows
  EXPECT_TRUE(at::allclose(perturbation_norms(x_new, x, Norm::l2), at::full({3}, 0.5, at::kDouble),
                           1e-5, 0));
  // Norm epsilon before and after: what lies outside both windows keeps its value.
  const auto changed = ((x_new - best).abs() > 1e-6).any(1).flatten(1).sum(1);
  EXPECT_LE(changed.max().item<std::int64_t>(), 18);
  EXPECT_GE(changed.min().item<std::int64_t>(), 9);
  const auto emptied = ((x_new - x).abs() < 1e-7).all(1).flatten(1).sum(1);
  EXPECT_GT(emptied.max().item<std::int64_t>(), 0) << "window 2";
}

TEST(Square, WhatTheBoxCutOffReturnsToAllOfThePerturbation) {
  const auto x = images(3, {1, 20, 20}, 1).clamp(0, 1);  // most pixels are 0 or 1
  const Context context{.random = Random(5, "square")};
  const auto growth = [&](Compat compat) {
    auto options = options_for(Norm::l2, 2);
    options.compat = compat;
    const SquareSampler sampler(x, first_ids(3), 0, options, context);
    const auto best = sampler.start();
    EXPECT_LT(perturbation_norms(best, x, Norm::l2).max().item<double>(), 1.9);
    const auto x_new = sampler.proposal(best, 5000);  // 3 x 3 windows
    const auto comparable = (x_new > 0) & (x_new < 1) & ((best - x).abs() > 1e-3);
    return ((x_new - x) / (best - x)).masked_select(comparable).median().item<double>();
  };
  EXPECT_GT(growth(Compat::none), 1.05);
  EXPECT_NEAR(growth(Compat::autoattack), 1, 1e-4) << "the first window takes it";
}

TEST(Square, AWindowHasItsNormInsideTheBox) {
  const auto x = at::zeros({4, 1, 20, 20});  // the box holds every downward entry
  const Context context{.random = Random(5, "square")};
  const auto reached = [&](Compat compat) {
    auto options = options_for(Norm::l2, 2);
    options.compat = compat;
    const SquareSampler sampler(x, first_ids(4), 0, options, context);
    auto best = sampler.start();
    for (int iteration = 0; iteration < 3; ++iteration) best = sampler.proposal(best, iteration);
    return perturbation_norms(best, x, Norm::l2);
  };
  EXPECT_TRUE(at::allclose(reached(Compat::none), at::full({4}, 2, at::kDouble), 1e-5, 0));
  EXPECT_LT(reached(Compat::autoattack).max().item<double>(), 1.999);
}

TEST(Square, AWindowThatTheBoxHoldsInPartHasItsNormToo) {
  auto x = at::full({4, 1, 20, 20}, 0.97f);  // little room upward, in every other column
  x.slice(3, 0, 20, 2).fill_(0.15);          // and downward in the others
  const auto best = x - 0.1;                 // norm 2
  const Context context{.random = Random(5, "square")};
  const SquareSampler sampler(x, first_ids(4), 0, options_for(Norm::l2, 2), context);
  for (int iteration = 5000; iteration < 5008; ++iteration) {  // 3 x 3 windows
    const auto x_new = sampler.proposal(best, iteration);
    EXPECT_GT((x_new == 1).sum().item<std::int64_t>(), 0) << iteration;
    // Were the window short of its norm, all pixels outside would have grown.
    const auto changed = ((x_new - best).abs() > 1e-6).flatten(1).sum(1);
    EXPECT_LE(changed.max().item<std::int64_t>(), 18) << iteration;
  }
}

TEST(Square, TheScheduleCanBeStretchedToTheQueries) {
  const auto x = images(1, {1, 32, 32}, 0.1);
  const Context context{.random = Random(5, "square")};
  auto options = options_for(Norm::linf, 0.1, 100);
  const auto side = [&](int iteration) {
    const SquareSampler sampler(x, {0}, 0, options, context);
    const auto pixels = changed_pixels(sampler.proposal(x, iteration), x).sum();
    return std::lround(std::sqrt(pixels.item<double>()));
  };
  EXPECT_EQ(side(50), 20);
  options.rescale_schedule = true;
  EXPECT_EQ(side(0), 29);
  EXPECT_EQ(side(1), 14) << "as iteration 100 of 10000";
  EXPECT_EQ(side(50), 3) << "as iteration 5000 of 10000";
}

TEST(Square, CountsAndRespectsQueriesPerSample) {
  const auto model = curved({1, 8, 8});
  const auto x = images(6, {1, 8, 8}), y = labels(6, 4);
  for (const int queries : {1, 2, 7, 40}) {
    const auto options = options_for(Norm::linf, 0.05, queries);
    const auto result = square(model, x, y, options);
    EXPECT_LE(result.forwards.max().item<std::int64_t>(), queries);
    EXPECT_TRUE(at::equal(result.forwards, at::where(result.success, result.step + 1, queries)));
    EXPECT_EQ(result.passes.forwards, result.forwards.sum().item<std::int64_t>());
    EXPECT_EQ(result.passes.backwards, 0);
  }
}

TEST(Square, AFooledSampleIsFirstFooledAtItsStep) {
  const auto inner = curved({1, 8, 8});
  const auto x = images(1, {1, 8, 8}), y = inner(x).argmax(1);
  std::vector<bool> right;
  const Classifier model(
      [&](const at::Tensor& point) {
        right.push_back((inner(point).argmax(1) == y).item<bool>());
        return inner(point);
      },
      {.name = "watched", .num_classes = 4, .input_shape = {1, 8, 8}});
  const auto result = square(model, x, y, options_for(Norm::linf, 0.2));
  ASSERT_TRUE(result.success.item<bool>());
  ASSERT_EQ(static_cast<std::int64_t>(right.size()), result.step.item<std::int64_t>() + 1);
  for (std::size_t i = 0; i < right.size(); ++i) EXPECT_EQ(right[i], i + 1 < right.size());
}

TEST(Square, StopsWhenAsked) {
  const run::StopToken idle;
  run::StopToken stop;
  int queries = 0;
  const Classifier model(
      [&](const at::Tensor& x) {
        if (++queries == 5) stop.request(2);
        return x.slice(1, 0, 3) * 0;
      },
      {.name = "constant", .num_classes = 3, .input_shape = {12}});
  const auto y = at::zeros({2}, at::kLong);
  EXPECT_THROW(square(model, images(2, {12}), y, {}, {.stop = &stop}), run::Interrupted);
  EXPECT_EQ(queries, 5);
}

TEST(Square, ALossOfTheCallersOwnIsClimbed) {
  const auto model = curved({1, 8, 8});
  const auto x = images(2, {1, 8, 8}, 0.1), y = model(x).argmax(1);
  const Context context{.loss = [](const at::Tensor& x_adv, const at::Tensor&, const at::Tensor&) {
    return x_adv.flatten(1).sum(1);
  }};
  const auto result = square(model, x, y, options_for(Norm::linf, 1e-4, 2000), context);
  EXPECT_TRUE(at::allclose(result.x_adv, x + 1e-4, 0, 1e-6)) << "the brightest point of the ball";
}

TEST(Square, RefusesUnfitArgumentsBeforeTheFirstPass) {
  const Classifier model([](const at::Tensor&) -> at::Tensor { throw std::logic_error("a pass"); },
                         {.name = "none", .num_classes = 4, .input_shape = {1, 4, 4}});
  const auto x = images(2, {1, 4, 4}), y = labels(2, 4);
  const auto refusal = [&](const SquareOptions& options) {
    return message_of([&] { square(model, x, y, options); });
  };
  EXPECT_EQ(refusal({.queries = 0}), "[square] queries: expected a number in [1, 1e+07], got 0");
  EXPECT_NE(refusal({.p_init = 0}).find("[square] p_init"), std::string::npos);
  EXPECT_NE(refusal({.p_init = 1.5}).find("[square] p_init"), std::string::npos);
  EXPECT_NE(refusal({.budget = {Norm::linf, 8}}).find("8/255"), std::string::npos);
  EXPECT_EQ(refusal({.loss = AttackLoss::kl}),
            "[square] loss: expected margin, cross_entropy or dlr, got kl");
  const Classifier two([](const at::Tensor&) -> at::Tensor { throw std::logic_error("a pass"); },
                       {.name = "two", .num_classes = 2, .input_shape = {1, 4, 4}});
  EXPECT_NE(message_of([&] {
              square(two, x, y % 2, {.loss = AttackLoss::dlr});
            }).find("dlr needs at least 3 classes"),
            std::string::npos);
  EXPECT_EQ(refusal({.budget = {Norm::l2, 1}, .compat = Compat::autoattack}),
            "[square] compat: autoattack in l2 needs square images of at least 5 rows, got 4 x 4");
}

TEST(Square, ThrowsForLogitsThatAreNotFinite) {
  const Classifier model([](const at::Tensor& x) { return x.slice(1, 0, 3) / 0; },
                         {.name = "broken", .num_classes = 3, .input_shape = {12}});
  const auto text = message_of<NumericError>([&] { square(model, images(2, {12}), labels(2, 3)); });
  EXPECT_EQ(text.find("[square] logits at step 0"), 0u) << text;
}

}  // namespace
}  // namespace namid::attacks
