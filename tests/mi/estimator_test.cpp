// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/estimator.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/models/registry.h"
#include "namid/run/tensor_file.h"
#include "support/errors.h"
#include "support/mi_toy.h"
#include "support/temp_folder.h"

namespace namid::mi {
namespace {

using testing::deviation;
using testing::message_of;
using testing::small_estimators;
using testing::wave;

EstimatorInfo info_of(models::Layer layer = models::Layer::logits) {
  return {.layer = layer,
          .units = 16,
          .num_classes = 10,
          .input_shape = {3, 8, 8},
          .budget = {.norm = attacks::Norm::l2, .epsilon = 0.5},
          .objective = "selected",
          .data = "toy",
          .target_sha256 = "abc"};
}
bool equal(const Estimator& a, const Estimator& b) {
  const auto p = a.state_dict(), q = b.state_dict();
  return std::equal(p.begin(), p.end(), q.begin(), q.end(), [](const auto& s, const auto& t) {
    return s.first == t.first && at::equal(s.second, t.second);
  });
}

TEST(Estimator, ShapesFollowLocationsAndUnits) {
  const Estimator estimator(info_of(), 1);
  const auto local = estimator.local_features(wave({4, 3, 8, 8}, 0.1).to(at::kFloat));
  EXPECT_EQ(local.sizes(), (std::vector<std::int64_t>{4, 16, 4}));
  const auto output = wave({4, 10}, 0.3).to(at::kFloat);
  EXPECT_EQ(estimator.global_vectors(output).sizes(), (std::vector<std::int64_t>{4, 16}));
  EXPECT_EQ(estimator.loss(local, output).sizes(), (std::vector<std::int64_t>{4, 4}));
}

TEST(Estimator, ReadsInternalLayers) {
  auto info = info_of(models::Layer::internal_last);
  info.layer_channels = 6;
  const Estimator estimator(info, 1);
  EXPECT_EQ(estimator.global_vectors(at::ones({2, 6, 4, 4})).sizes(),
            (std::vector<std::int64_t>{2, 16}));
}

TEST(Estimator, WeightsComeFromTheSeedAlone) {
  const auto a = make_estimators(info_of(), 3), b = make_estimators(info_of(), 3);
  torch::rand({5});
  EXPECT_TRUE(equal(a.natural, b.natural));
  EXPECT_TRUE(equal(a.adversarial, b.adversarial));
  EXPECT_FALSE(equal(a.natural, a.adversarial));
  EXPECT_FALSE(equal(a.natural, make_estimators(info_of(), 4).natural));
}

TEST(Estimator, StateHasBothNetsAndReadsBack) {
  const Estimator from(info_of(), 1), to(info_of(), 2);
  const auto state = from.state_dict();
  EXPECT_EQ(state.size(), 35u + 11u);
  EXPECT_TRUE(find_tensor(state, "local.layers.1.0.weight").defined());
  EXPECT_TRUE(find_tensor(state, "global.block_ln.1.bias").defined());
  to.load_state_dict(state);
  EXPECT_TRUE(equal(from, to));
  auto missing = state;
  missing.pop_back();
  EXPECT_THROW(to.load_state_dict(missing), DataError);
  auto unknown = state;
  unknown.emplace_back("other.weight", at::ones({1}));
  EXPECT_THROW(to.load_state_dict(unknown), DataError);
}

TEST(Estimator, FreezeStopsGradientsAndStatistics) {
  const Estimator estimator(info_of(), 1);
  EXPECT_FALSE(estimator.is_frozen());
  estimator.freeze();
  EXPECT_TRUE(estimator.is_frozen());
  const auto before = estimator.clone();
  auto output = wave({4, 10}, 0.3).to(at::kFloat).requires_grad_();
  const auto local = estimator.local_features(wave({4, 3, 8, 8}, 0.1).to(at::kFloat));
  estimator.loss(local, output).sum().backward();
  EXPECT_GT(output.grad().abs().sum().item<double>(), 0);
  for (const auto& p : estimator.parameters()) EXPECT_FALSE(p.grad().defined());
  EXPECT_TRUE(equal(estimator, before));
}

TEST(Estimator, LocalFeaturesLeadNoGradientToTheImage) {
  const Estimator estimator(info_of(), 1);
  auto x = wave({4, 3, 8, 8}, 0.1).to(at::kFloat).requires_grad_();
  estimator.local_features(x).sum().backward();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Estimator, FollowsAPermutationOfTheBatchInEvalMode) {
  const auto natural = small_estimators().natural;
  const auto x = wave({5, 3, 8, 8}, 0.13), output = wave({5, 10}, 0.7);
  const auto order = torch::tensor({3, 0, 4, 2, 1});
  const auto loss = natural.loss(natural.local_features(x), output);
  const auto moved =
      natural.loss(natural.local_features(x.index_select(0, order)), output.index_select(0, order));
  EXPECT_LT(deviation(moved, loss.index_select(0, order)), 1e-10);
}

TEST(Estimator, CloneSharesNothing) {
  const Estimator estimator(info_of(), 1);
  const auto copy = estimator.clone();
  EXPECT_TRUE(equal(estimator, copy));
  copy.freeze();
  copy.parameters()[0].data().zero_();
  EXPECT_FALSE(estimator.is_frozen());
  EXPECT_FALSE(equal(estimator, copy));
  EXPECT_FALSE(Estimator().clone().defined());
}

TEST(Estimator, RefusesUnfitInfo) {
  auto info = info_of();
  info.num_classes = 1;
  EXPECT_THROW(Estimator(info, 0), OptionError);
  info = info_of();
  info.input_shape = {64};
  EXPECT_THROW(Estimator(info, 0), OptionError);
  info = info_of();
  info.units = 0;
  EXPECT_THROW(Estimator(info, 0), OptionError);
}

TEST(EstimatorFile, ReadsBackWeightsAndInfo) {
  const testing::TempFolder folder;
  auto pair = make_estimators(info_of(), 5);
  pair.natural.local_features(wave({4, 3, 8, 8}, 0.1).to(at::kFloat));  // moves BatchNorm
  save_estimators(folder / "e.safetensors", pair);
  const auto read = load_estimators(folder / "e.safetensors");
  EXPECT_TRUE(equal(pair.natural, read.natural));
  EXPECT_TRUE(equal(pair.adversarial, read.adversarial));
  EXPECT_EQ(read.info.units, 16);
  EXPECT_EQ(read.info.num_classes, 10);
  EXPECT_EQ(read.info.input_shape, pair.info.input_shape);
  EXPECT_EQ(read.info.budget.norm, attacks::Norm::l2);
  EXPECT_EQ(read.info.budget.epsilon, 0.5);
  EXPECT_EQ(read.info.objective, "selected");
  EXPECT_EQ(read.info.data, "toy");
  EXPECT_EQ(read.info.target_sha256, "abc");
  const auto file = run::read_tensor_file(folder / "e.safetensors");
  EXPECT_TRUE(find_tensor(file.tensors, "local_n.layers.0.0.weight").defined());
  EXPECT_TRUE(find_tensor(file.tensors, "global_a.linear_shortcut.weight").defined());
}

TEST(EstimatorFile, OnePairOfNetsIsReadBackAsOne) {
  const testing::TempFolder folder;
  auto info = info_of();
  info.objective = "standard";
  info.weak = true;
  const auto pair = make_estimators(info, 5);
  EXPECT_FALSE(pair.adversarial.defined());
  EXPECT_TRUE(equal(pair.natural, make_estimators(info_of(), 5).natural));
  save_estimators(folder / "e.safetensors", pair);
  const auto read = load_estimators(folder / "e.safetensors");
  EXPECT_TRUE(equal(pair.natural, read.natural));
  EXPECT_FALSE(read.adversarial.defined());
  EXPECT_FALSE(read.clone().adversarial.defined());
  EXPECT_TRUE(read.info.weak && read.info.has_one_pair());
}

TEST(EstimatorFile, RefusesWhatIsNotOne) {
  const testing::TempFolder folder;
  const auto path = folder / "e.safetensors";
  run::write_tensor_file(path, {{"a", at::ones({2})}});
  EXPECT_NE(message_of([&] { load_estimators(path); }).find("not an estimator file"),
            std::string::npos);
  EXPECT_THROW(load_estimators(folder / "none"), DataError);

  save_estimators(path, make_estimators(info_of(), 5));
  const auto good = run::read_tensor_file(path);
  const auto refused = [&](const std::string& from, const std::string& to) {
    auto metadata = good.metadata;
    auto& text = metadata.at("namid.estimators");
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    text.replace(at, from.size(), to);
    run::write_tensor_file(path, good.tensors, metadata);
    EXPECT_THROW(load_estimators(path), DataError) << to;
  };
  refused("\"units\":16", "\"units\":1000000000");
  refused("\"units\":16", "\"units\":\"x\"");
  refused("\"num_classes\":10", "\"num_classes\":11");
  refused("\"l2\"", "\"l7\"");
  refused("{", "[");
  auto fewer = good.tensors;
  fewer.pop_back();
  run::write_tensor_file(path, fewer, good.metadata);
  EXPECT_THROW(load_estimators(path), DataError);
}

TEST(CheckEstimators, NamesBothValuesAndTheWayOut) {
  const auto model = [](std::int64_t classes, std::vector<std::int64_t> shape) {
    return models::create({.model = "small_cnn", .width = 2}, shape, classes);
  };
  const EstimatorUse l2{.budget = {.norm = attacks::Norm::l2, .epsilon = 1}}, linf{};
  EXPECT_NO_THROW(check_estimators(info_of(), model(10, {3, 8, 8}), l2)) << "epsilon may differ";
  auto accepted = linf;
  accepted.allow_mismatch = EstimatorMismatch::norm;
  EXPECT_NO_THROW(check_estimators(info_of(), model(10, {3, 8, 8}), accepted));
  EXPECT_EQ(message_of([&] {
              check_estimators(info_of(), model(10, {3, 8, 8}), linf);
            }),
            "estimators: made for norm l2, needed for linf; train estimators with that norm, or "
            "accept it with --allow-estimator-mismatch norm");
  EXPECT_EQ(message_of([&] {
              check_estimators(info_of(), model(200, {3, 8, 8}), l2);
            }),
            "estimators: made for class count 10, needed for 200; train estimators on a target of "
            "the same data set");
  EXPECT_EQ(message_of([&] {
              check_estimators(info_of(), model(10, {1, 28, 28}), l2);
            }),
            "estimators: made for input shape 3x8x8, needed for 1x28x28; train estimators on a "
            "target of the same data set");
}

TEST(CheckEstimators, RefusesALayerThatTheModelHasNotAndWeakOnes) {
  const EstimatorUse use{.budget = info_of().budget};
  auto info = info_of(models::Layer::internal_last);
  info.layer_channels = 16;
  const auto model = [](const char* name, std::int64_t width) {
    return models::create({.model = name, .width = width}, {3, 8, 8}, 10);
  };
  EXPECT_NO_THROW(check_estimators(info, model("resnet18", 2), use));
  EXPECT_NO_THROW(check_estimators(info, model("preactresnet18", 2), use));
  EXPECT_EQ(message_of([&] { check_estimators(info, model("small_cnn", 2), use); }),
            "estimators: made for layer internal_last, needed for small_cnn, which has no such "
            "layer; train estimators on its logits");
  EXPECT_EQ(message_of([&] { check_estimators(info, model("resnet18", 4), use); }),
            "estimators: made for layer internal_last with 16 channels, needed for 32 channels; "
            "train estimators on a target of the same network");
  info = info_of();
  info.weak = true;
  EXPECT_NE(message_of([&] {
              check_estimators(info, model("small_cnn", 2), use);
            }).find("--allow-weak-estimator"),
            std::string::npos);
  auto accepted = use;
  accepted.allow_weak = true;
  EXPECT_NO_THROW(check_estimators(info, model("small_cnn", 2), accepted));
}

TEST(LayerChannels, AreThoseOfTheTarget) {
  const auto resnet = models::create({.model = "resnet18", .width = 2}, {3, 28, 28}, 7);
  resnet.train();
  EXPECT_EQ(layer_channels(resnet, models::Layer::logits), 7);
  EXPECT_EQ(layer_channels(resnet, models::Layer::internal), 8);
  EXPECT_EQ(layer_channels(resnet, models::Layer::internal_last), 16);
  EXPECT_TRUE(resnet.is_training());
  EXPECT_EQ(find_tensor(resnet.state_dict(), "bn1.num_batches_tracked").item<int>(), 0);
  const auto cnn = models::create({.model = "small_cnn"}, {3, 8, 8}, 10);
  EXPECT_NE(message_of([&] {
              layer_channels(cnn, models::Layer::internal);
            }).find("small_cnn has no layer 'internal'"),
            std::string::npos);
}

}  // namespace
}  // namespace namid::mi
