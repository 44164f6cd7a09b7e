// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/objective.h"

#include <gtest/gtest.h>

#include "namid/defenses/registry.h"
#include "namid/models/registry.h"
#include "support/float64.h"
#include "support/mi_toy.h"

namespace namid::defenses {
namespace {

using testing::value;
using testing::wave;

constexpr double kEpsilon = 0.3;
const PgdOptions kAttack{.budget = {.epsilon = kEpsilon}, .steps = 3};

/// A small network in train mode and a batch it classifies rightly there.
struct SmallStep {
  Classifier model = models::create({.model = "small_cnn", .width = 4}, {3, 8, 8}, 10, /*seed=*/1);
  Batch batch;
  mi::EstimatorPair estimators = mi::make_estimators(
      {.units = 16, .num_classes = 10, .input_shape = {3, 8, 8}, .objective = "separate"}, 1);
  Context context{.random = Random(1, "train/attack"), .epoch = 3};

  explicit SmallStep(std::int64_t n = 8) {
    batch.x = (0.5 + 0.5 * wave({n, 3, 8, 8}, 0.013)).to(at::kFloat);
    batch.y = n > 1 ? model(batch.x).argmax(1) : torch::tensor({3});
    for (std::int64_t i = 0; i < n; ++i) batch.ids.push_back(static_cast<std::uint64_t>(i));
    estimators.natural.freeze();
    estimators.adversarial.freeze();
  }
  ObjectiveResult namid(const NamidOptions& options = {}, std::int64_t full_batch = 8) const {
    return defenses::namid(model, batch, {kAttack},
                           {.estimators = estimators, .options = options, .full_batch = full_batch},
                           context);
  }
  std::int64_t batches_seen(const std::string& layer = "bn1") const {
    return find_tensor(model.state_dict(), layer + ".num_batches_tracked").item<std::int64_t>();
  }
};

TensorMap copy_of(const TensorMap& state) {
  TensorMap copy;
  for (const auto& [name, tensor] : state) copy.emplace_back(name, tensor.clone());
  return copy;
}
bool equal(const TensorMap& a, const TensorMap& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& s, const auto& t) {
    return s.first == t.first && at::equal(s.second, t.second);
  });
}

TEST(Natural, OfAUniformModelIsTheLogarithmOfTheClassCount) {
  const auto weight = at::zeros({10, 192}).requires_grad_();
  const Classifier model([=](const at::Tensor& x) { return x.flatten(1).matmul(weight.t()); },
                         {.name = "zero", .num_classes = 10, .input_shape = {3, 8, 8}}, {weight});
  const Batch batch{at::rand({4, 3, 8, 8}), torch::tensor({0, 0, 1, 2}), {}};
  const auto result = natural(model, batch);
  EXPECT_NEAR(value(result.loss), std::log(10.0), 1e-6);
  EXPECT_EQ(result.metrics.at("accuracy"), 0.5);
  EXPECT_EQ(result.metrics.at("loss"), value(result.loss));
  EXPECT_TRUE(result.loss.requires_grad());
}

TEST(Craft, GivesTheAttacksLastIterateInsideTheBall) {
  const SmallStep small;
  const auto before = copy_of(small.model.state_dict());
  const auto x_adv = craft(small.model, small.batch, kAttack, small.context);
  EXPECT_TRUE(small.model.is_training());
  EXPECT_TRUE(equal(before, small.model.state_dict())) << "BatchNorm saw nothing";
  for (const auto& p : small.model.parameters()) {
    EXPECT_TRUE(p.requires_grad());
    EXPECT_FALSE(p.grad().defined());
  }
  EXPECT_FALSE(x_adv.requires_grad());
  EXPECT_LE(value((x_adv - small.batch.x).abs().max()), kEpsilon + 1e-6);
  auto last = kAttack;
  last.judge = attacks::Judge::last;
  auto context = small.context;
  context.ids = small.batch.ids;
  EXPECT_TRUE(at::equal(
      x_adv, attacks::pgd(small.model, small.batch.x, small.batch.y, last, context).x_adv));
  context.epoch = 4;
  EXPECT_FALSE(at::equal(x_adv, craft(small.model, small.batch, kAttack, context)));
}

TEST(Standard, IsTheMeanCrossEntropyOnTheCraftedImages) {
  const SmallStep small;
  const auto x_adv = craft(small.model, small.batch, kAttack, small.context);
  const auto result = standard(small.model, small.batch, kAttack, small.context);
  const auto logits = small.model(x_adv);
  EXPECT_EQ(value(result.loss), value(at::cross_entropy_loss(logits, small.batch.y)));
  EXPECT_EQ(result.metrics.at("adversarial_accuracy"),
            value(logits.argmax(1).eq(small.batch.y).to(at::kDouble).mean()));
  result.loss.backward();
  EXPECT_GT(value(small.model.parameters()[0].grad().abs().sum()), 0);
}

TEST(Namid, RunsTheModelOncePerImageAndLeavesTheEstimatorsAlone) {
  const SmallStep small;
  const auto natural_before = copy_of(small.estimators.natural.state_dict());
  const auto adversarial_before = copy_of(small.estimators.adversarial.state_dict());
  const auto seen = small.batches_seen();
  const auto result = small.namid();
  result.loss.backward();
  EXPECT_EQ(small.batches_seen(), seen + 2);
  EXPECT_GE(result.metrics.at("selected"), 2) << "the attack should succeed";
  EXPECT_NE(result.metrics.at("mi_loss"), 0);
  EXPECT_TRUE(equal(natural_before, small.estimators.natural.state_dict()));
  EXPECT_TRUE(equal(adversarial_before, small.estimators.adversarial.state_dict()));
  for (const auto* estimator : {&small.estimators.natural, &small.estimators.adversarial})
    for (const auto& p : estimator->parameters()) EXPECT_FALSE(p.grad().defined());
  for (const auto& p : small.model.parameters())
    EXPECT_TRUE(p.grad().isfinite().all().item<bool>());
}

TEST(Namid, SameSeedSameResult) {
  const SmallStep a, b;
  EXPECT_EQ(a.namid().metrics, b.namid().metrics);
}

TEST(Namid, IsStandardTrainingInWarmUpOnPartialBatchesAndOnOneSample) {
  // Each call on a fresh model: running statistics, which the attack sees, move with every forward.
  const auto same_as_standard = [](const NamidOptions& options, std::int64_t full_batch) {
    const SmallStep small, other;
    const auto seen = small.batches_seen();
    const auto result = small.namid(options, full_batch);
    EXPECT_EQ(small.batches_seen(), seen + 1);
    EXPECT_EQ(result.metrics.at("mi_skipped"), 1);
    EXPECT_EQ(result.metrics.at("mi_loss"), 0);
    EXPECT_EQ(result.metrics.at("base_loss"), result.metrics.at("loss"));
    EXPECT_EQ(value(result.loss),
              value(standard(other.model, other.batch, kAttack, other.context).loss));
  };
  same_as_standard({.mi_warmup = 3}, 8);
  same_as_standard({}, 9);
  const SmallStep one(1);
  one.model.train(false);
  EXPECT_EQ(one.namid({.mi_partial_batch = true}).metrics.at("mi_skipped"), 1);
  EXPECT_EQ(SmallStep().namid({.mi_warmup = 2}).metrics.at("mi_skipped"), 0);
  EXPECT_EQ(SmallStep().namid({.mi_partial_batch = true}, 9).metrics.at("mi_skipped"), 0);
}

TEST(Namid, ReadsInternalLayersWithOneMorePassOfEachBatch) {
  SmallStep small;
  small.model = models::create({.model = "resnet18", .width = 4}, {3, 8, 8}, 10, 1);
  small.batch.y = small.model(small.batch.x).argmax(1);
  small.estimators = mi::make_estimators({.layer = models::Layer::internal_last,
                                          .units = 16,
                                          .num_classes = 10,
                                          .input_shape = {3, 8, 8},
                                          .objective = "separate",
                                          .layer_channels = 32},
                                         1);
  small.estimators.natural.freeze();
  small.estimators.adversarial.freeze();
  const auto seen = small.batches_seen();
  const auto result = small.namid();
  EXPECT_EQ(small.batches_seen(), seen + 2) << "the second passes leave the statistics alone";
  EXPECT_TRUE(result.loss.isfinite().item<bool>());
  EXPECT_GE(result.metrics.at("selected"), 1);
}

TEST(Namid, ReplaysTheReleasedOrderOfInternalLayersToo) {
  const auto make = [] {
    return testing::in_float64(models::create({.model = "resnet18", .width = 4}, {3, 8, 8}, 10, 1));
  };
  const auto literal = make(), replayed = make();
  const auto x = 0.5 + 0.5 * wave({8, 3, 8, 8}, 0.013);
  const auto y = make()(x).argmax(1);
  const auto x_adv = 1 - x;
  constexpr auto kLayer = models::Layer::internal_last;
  auto pair = mi::make_estimators({.layer = kLayer,
                                   .units = 16,
                                   .num_classes = 10,
                                   .input_shape = {3, 8, 8},
                                   .objective = "separate",
                                   .layer_channels = 32},
                                  1);
  for (const auto* estimator : {&pair.natural, &pair.adversarial}) {
    estimator->to(at::kDouble);
    estimator->freeze();
  }
  const auto result =
      namid_loss(replayed, {x, y, {}}, x_adv, {.estimators = pair}, BnUpdates::reference);
  ASSERT_EQ(result.metrics.at("mi_empty"), 0);
  for (const auto& image : {x_adv, x, x_adv}) literal(image);
  for (const auto& image : {x, x_adv, x_adv, x}) literal(image, kLayer);
  const auto a = literal.state_dict(), b = replayed.state_dict();
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_LT(testing::deviation(a[i].second, b[i].second), 1e-12) << a[i].first;
}

TEST(Registry, ListsEveryDefence) {
  const auto rows = list_defenses();
  ASSERT_EQ(rows.size(), EnumNames<Defense>::kNames.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].defense, static_cast<Defense>(i));
    EXPECT_EQ(rows[i].name, to_string(rows[i].defense));
    EXPECT_FALSE(rows[i].description.empty());
    EXPECT_EQ(needs_estimators(rows[i].defense), rows[i].defense >= Defense::at_mim);
  }
}

TEST(Registry, BindsEachDefence) {
  const auto loss_of = [](Defense defense) {
    const SmallStep small;
    const auto objective =
        make_objective(defense, {.attack = kAttack, .full_batch = 8}, small.estimators);
    return value(objective(small.model, small.batch, small.context).loss);
  };
  const SmallStep a, b, c;
  EXPECT_EQ(loss_of(Defense::natural), value(natural(a.model, a.batch).loss));
  EXPECT_EQ(loss_of(Defense::standard), value(standard(b.model, b.batch, kAttack, b.context).loss));
  EXPECT_EQ(loss_of(Defense::namid), value(c.namid().loss));
}

TEST(Registry, TakesFrozenCopiesOfTheEstimators) {
  SmallStep small;
  for (const auto& p : small.estimators.natural.parameters()) p.set_requires_grad(true);
  small.estimators.natural.train();
  const auto objective =
      make_objective(Defense::namid, {.attack = kAttack, .full_batch = 8}, small.estimators);
  EXPECT_FALSE(small.estimators.natural.is_frozen()) << "the caller's own stay as they were";
  for (const auto& p : small.estimators.natural.parameters()) p.data().zero_();
  const SmallStep fresh;
  EXPECT_EQ(objective(small.model, small.batch, small.context).metrics, fresh.namid().metrics)
      << "what becomes of them later does not matter";
}

TEST(Registry, RefusesNamidWithoutEstimatorsOrWithUnfitOptions) {
  EXPECT_THROW(make_objective(Defense::namid, {}), OptionError);
  EXPECT_THROW(make_objective(Defense::namid, {.namid = {.lambda = -1}}, SmallStep().estimators),
               OptionError);
  EXPECT_NO_THROW(make_objective(Defense::standard, {}));
}

}  // namespace
}  // namespace namid::defenses
