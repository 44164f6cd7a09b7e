// SPDX-License-Identifier: Apache-2.0
// Defects of published Square code, each with a test that namid does not have it, or has it only
// with compat = autoattack.
#include <ATen/CPUGeneratorImpl.h>

#include "attacks/toy.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/square.h"
#include "namid/attacks/square_sampler.h"
#include "namid/models/registry.h"

namespace namid::attacks {
namespace {

/// (H, W): how many of the proposals for constant images change each pixel.
at::Tensor reached(Norm norm, Compat compat, bool from_start = false) {
  const auto x = at::full({40, 1, 12, 12}, 0.5F);
  const Context context{.random = Random(0, "square")};
  SampleIds ids;
  for (std::uint64_t i = 0; i < 40; ++i) ids.push_back(i);
  // Large in L1: projection onto a small ball would leave the tiles' peaks alone.
  const double epsilon = norm == Norm::l1 ? 30 : 0.3;
  const SquareSampler sampler(x, ids, 0, {.budget = {norm, epsilon}, .compat = compat}, context);
  if (from_start) return ((sampler.start() - x) != 0).any(1).sum(0);
  auto hits = at::zeros({12, 12}, at::kLong);
  for (int iteration = 1001; iteration < 1101; ++iteration)
    hits += ((sampler.proposal(x, iteration) - x) != 0).any(1).sum(0);
  return hits;
}

std::int64_t rim(const at::Tensor& hits) {
  return (hits.select(0, 11).sum() + hits.select(1, 11).sum()).item<std::int64_t>();
}

TEST(SquarePitfalls, TheLastRowAndColumnAreReached) {
  for (const auto norm : kNorms) {
    EXPECT_TRUE((reached(norm, Compat::none) > 0).all().item<bool>()) << to_string(norm);
    EXPECT_EQ(rim(reached(norm, Compat::autoattack)), 0) << "the reference never reaches them";
  }
}

TEST(SquarePitfalls, StartsCoverTheWholeImage) {
  for (const auto norm : kNorms)
    EXPECT_TRUE((reached(norm, Compat::none, true) > 0).all().item<bool>()) << to_string(norm);
  EXPECT_EQ(rim(reached(Norm::l2, Compat::autoattack, true)), 0) << "10 x 10 tiles from 1 on";
}

TEST(SquarePitfalls, OnlyTheReferenceGivesOneWindowAndSignToTheBatch) {
  const auto x = at::full({6, 3, 9, 9}, 0.5F);
  const Context context{.random = Random(0, "square")};
  for (const auto compat : {Compat::none, Compat::autoattack}) {
    const SquareSampler sampler(x, {0, 1, 2, 3, 4, 5}, 0,
                                {.budget = {Norm::linf, 0.1}, .compat = compat}, context);
    bool equal = true;
    for (int iteration = 201; iteration < 211; ++iteration) {
      const auto x_new = sampler.proposal(x, iteration);
      equal &= at::equal(x_new, x_new.slice(0, 0, 1).expand_as(x_new));
    }
    EXPECT_EQ(equal, compat == Compat::autoattack);
  }
}

TEST(SquarePitfalls, TinyAndRectangularImagesAreAttacked) {
  for (const auto norm : kNorms) {
    for (const auto& shape : std::vector<Shape>{
             {1}, {2}, {1, 1, 1}, {3, 1, 1}, {1, 2, 2}, {1, 4, 4}, {2, 3, 11}, {1, 40, 2}}) {
      const auto model = curved(shape);
      const auto x = images(3, shape, 0.4), y = model(x).argmax(1);
      const auto result = square(model, x, y, {.budget = {norm, 0.3}, .queries = 50});
      EXPECT_TRUE(at::isfinite(result.x_adv).all().item<bool>());
      const auto clean = attack_loss(AttackLoss::margin, model(x), y);
      EXPECT_TRUE((result.loss >= clean - 1e-5).all().item<bool>());
      EXPECT_GT((result.loss - clean).sum().item<float>(), 0) << to_string(norm) << entries(shape);
    }
  }
}

TEST(SquarePitfalls, ABatchThatIsAllMisclassifiedCostsOneQueryEach) {
  const auto model = curved({1, 8, 8});
  const auto x = images(4, {1, 8, 8}), y = (model(x).argmax(1) + 1) % 4;
  for (const auto norm : kNorms) {
    for (const auto compat : {Compat::none, Compat::autoattack}) {
      const auto result = square(model, x, y, {.budget = {norm, 0.1}, .compat = compat});
      EXPECT_TRUE(result.success.all().item<bool>());
      EXPECT_TRUE(same_bits(result.x_adv, x));
      EXPECT_EQ(result.passes.forwards, 4);
    }
  }
}

TEST(SquarePitfalls, ATieIsAttackedOnAndIsNoSuccess) {
  const Classifier tied([](const at::Tensor& x) { return x.slice(1, 0, 3) * 0; },
                        {.name = "tied", .num_classes = 3, .input_shape = {12}});
  const auto x = images(2, {12}), y = at::zeros({2}, at::kLong);
  SquareOptions options{.queries = 9};
  const auto right = square(tied, x, y, options);
  EXPECT_FALSE(right.success.any().item<bool>());
  EXPECT_EQ(right.passes.forwards, 2 * 9);
  options.compat = Compat::autoattack;
  const auto reference = square(tied, x, y, options);
  EXPECT_FALSE(reference.success.any().item<bool>()) << "argmax decides here too";
  EXPECT_EQ(reference.passes.forwards, 2) << "the reference gives a tie up";
}

TEST(SquarePitfalls, TheReferenceCountsProposalsOnly) {
  const Classifier constant(
      [](const at::Tensor& x) {
        return at::eye(3).slice(0, 0, 1).expand({x.size(0), 3});
      },
      {.name = "constant", .num_classes = 3, .input_shape = {12}});
  const auto x = images(2, {12}), y = at::zeros({2}, at::kLong);
  SquareOptions options{.queries = 9};
  EXPECT_EQ(square(constant, x, y, options).passes.forwards, 2 * 9);
  options.compat = Compat::autoattack;
  EXPECT_EQ(square(constant, x, y, options).passes.forwards, 2 * (9 + 2));
}

TEST(SquarePitfalls, DrawsFollowTheSampleNotTheBatch) {
  const auto model = curved({3, 5, 7});
  const auto x = images(6, {3, 5, 7}), y = model(x).argmax(1);
  const auto order = at::tensor({4, 0, 5, 2}, at::kLong);
  for (const auto norm : kNorms) {
    const SquareOptions options{.budget = {norm, 0.02}, .queries = 3};
    const auto whole = square(model, x, y, options);
    const auto some = square(model, x.index_select(0, order), y.index_select(0, order), options);
    EXPECT_TRUE(same_bits(some.x_adv, whole.x_adv.index_select(0, order)));
  }
}

TEST(SquarePitfalls, TheGlobalGeneratorIsNeitherReadNorSeeded) {
  const auto model = curved({12});
  at::manual_seed(5);
  const auto expected = at::rand({4});
  at::manual_seed(5);
  const auto first = square(model, images(2, {12}), labels(2, 4), {.queries = 5}).x_adv;
  EXPECT_TRUE(same_bits(at::rand({4}), expected));
  EXPECT_TRUE(same_bits(square(model, images(2, {12}), labels(2, 4), {.queries = 5}).x_adv, first));
}

TEST(SquarePitfalls, ReferenceOrderIsRepeatable) {
  const auto model = curved({1, 8, 8});
  const auto x = images(3, {1, 8, 8}), y = model(x).argmax(1);
  for (const auto norm : kNorms) {
    for (const auto compat : {Compat::none, Compat::autoattack}) {
      const auto run = [&](std::uint64_t seed) {
        return square(model, x, y, {.budget = {norm, 0.02}, .queries = 40, .compat = compat},
                      {.sequential = at::detail::createCPUGenerator(seed)})
            .x_adv;
      };
      EXPECT_TRUE(same_bits(run(1), run(1)));
      EXPECT_FALSE(same_bits(run(1), run(2)));
    }
  }
}

TEST(SquarePitfalls, SaturatedImagesGiveNoNaN) {
  const Shape shape{1, 8, 8};
  const auto model = curved(shape);
  const auto x = at::cat({at::zeros({2, 1, 8, 8}), at::ones({2, 1, 8, 8})});
  const auto y = model(x).argmax(1);
  for (const auto norm : kNorms) {
    const SquareOptions options{.budget = {norm, 0.2}, .queries = 100};
    const auto result = square(model, x, y, options);
    EXPECT_TRUE(at::isfinite(result.x_adv).all().item<bool>());
    EXPECT_LE(perturbation_norms(result.x_adv, x, norm).max().item<double>(), 0.2 * (1 + 1e-5));
  }
}

TEST(SquarePitfalls, ImagesOutsideTheBoxAreRefusedNotClipped) {
  const auto x = images(2, {12});
  const auto text = message_of([&] { square(curved({12}), (x - 0.6) / 0.1, labels(2, 4)); });
  EXPECT_NE(text.find("before normalisation"), std::string::npos);
}

TEST(SquarePitfalls, EveryPointTheModelSeesIsInBallAndBoxAndWithoutGraph) {
  const auto x = images(4, {1, 8, 8}), y = curved({1, 8, 8})(x).argmax(1);
  for (const auto norm : kNorms) {
    std::vector<at::Tensor> seen;
    const Classifier model(
        [&](const at::Tensor& point) {
          EXPECT_FALSE(c10::GradMode::is_enabled() || point.requires_grad());
          seen.push_back(point.clone());
          return curved({1, 8, 8})(point);
        },
        {.name = "watched", .num_classes = 4, .input_shape = {1, 8, 8}});
    const double epsilon = norm == Norm::linf ? 0.01 : 0.1;
    square(model, x, y, {.budget = {norm, epsilon}, .queries = 25}, {.compact = false});
    EXPECT_EQ(seen.size(), 25u);
    for (const auto& point : seen) {
      EXPECT_LE(perturbation_norms(point, x, norm).max().item<double>(), epsilon * (1 + 1e-5));
      EXPECT_GE(point.min().item<float>(), 0);
      EXPECT_LE(point.max().item<float>(), 1);
    }
  }
}

TEST(SquarePitfalls, BatchNormIsInEvalModeAndItsStatisticsStay) {
  const auto model = models::create({.model = "small_cnn", .width = 4}, {1, 8, 8}, 4, 1);
  model.train();
  model(images(8, {1, 8, 8}));
  TensorMap before;
  for (const auto& [name, tensor] : model.state_dict()) before.emplace_back(name, tensor.clone());
  square(model, images(4, {1, 8, 8}, 0.5, 0.37), labels(4, 4), {.queries = 5});
  const auto after = model.state_dict();
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(at::equal(after[i].second, before[i].second)) << after[i].first;
  EXPECT_TRUE(model.is_training());
}

TEST(SquarePitfalls, ChannelsLastAndExpandedImagesAreFine) {
  const auto model = curved({3, 5, 7});
  const auto x = images(2, {3, 5, 7}), y = model(x).argmax(1);
  for (const auto norm : kNorms) {
    const SquareOptions options{.budget = {norm, 0.05}, .queries = 20};
    const auto expected = square(model, x, y, options).x_adv;
    const auto last = x.contiguous(at::MemoryFormat::ChannelsLast);
    EXPECT_TRUE(at::allclose(square(model, last, y, options).x_adv, expected, 0, 1e-6));
    const auto repeated = x.slice(0, 0, 1).expand({4, 3, 5, 7});
    const auto same = square(model, repeated, y.slice(0, 0, 1).expand({4}), options).x_adv;
    EXPECT_TRUE(at::allclose(same[0], same[3])) << "equal image and label: equal id, equal draw";
  }
}

}  // namespace
}  // namespace namid::attacks
