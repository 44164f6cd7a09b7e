// SPDX-License-Identifier: Apache-2.0
#include "namid/models/classifier.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "namid/core/error.h"
#include "namid/models/network.h"
#include "namid/models/registry.h"
#include "namid/models/seeded_scope.h"
#include "support/errors.h"

namespace namid::models {
namespace {

using testing::message_of;

const std::vector<std::int64_t> kImage{3, 32, 32};

Classifier small(std::uint64_t seed = 0, ModelOptions options = {}) {
  options.model = "small_cnn";
  if (options.width == 0) options.width = 4;
  return create(options, kImage, 10, seed);
}

at::Tensor images(std::int64_t count) {
  return (torch::arange(count * 3 * 32 * 32).view({count, 3, 32, 32}) * 0.013).sin() * 0.5 + 0.5;
}

bool equal_states(const TensorMap& a, const TensorMap& b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i)
    equal = a[i].first == b[i].first && at::equal(a[i].second, b[i].second);
  return equal;
}

TEST(Create, EqualSeedsGiveEqualWeightsWhateverElseIsDrawn) {
  const auto a = small(7);
  torch::rand({1000});
  const auto b = small(7);
  EXPECT_TRUE(equal_states(a.state_dict(), b.state_dict()));
  EXPECT_FALSE(equal_states(a.state_dict(), small(8).state_dict()));
}

TEST(Create, LeavesTheGlobalGeneratorAsItWas) {
  torch::manual_seed(3);
  const auto expected = torch::rand({4});
  torch::manual_seed(3);
  const auto model = small(7);
  EXPECT_TRUE(at::equal(torch::rand({4}), expected));
  torch::manual_seed(3);
  const auto copy = model.clone();
  EXPECT_TRUE(at::equal(torch::rand({4}), expected));
}

TEST(Create, ThreadsDoNotMixTheirDraws) {
  const auto expected = small(7).state_dict();
  std::vector<std::thread> threads;
  std::atomic<int> equal = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 5; ++j) equal += equal_states(small(7).state_dict(), expected);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(equal, 20);
}

TEST(Create, UnknownNamesGetTheNearestOne) {
  const auto message = message_of<OptionError>([] { create({.model = "small_cn"}, kImage, 10); });
  EXPECT_EQ(message, "[model] model: unknown network 'small_cn'; did you mean 'small_cnn'?");
}

TEST(Create, RefusesUnfitArguments) {
  EXPECT_THROW(create({.model = "small_cnn"}, kImage, 1), OptionError);
  EXPECT_THROW(create({.model = "small_cnn"}, {3, 3, 3}, 10), OptionError);
  EXPECT_THROW(create({.model = "small_cnn"}, {}, 10), OptionError);
  EXPECT_THROW(create({.model = "small_cnn", .width = -1}, kImage, 10), OptionError);
  EXPECT_THROW(create({.model = "small_cnn", .mean = {0.5}, .std = {0.5}}, kImage, 10),
               OptionError);
  EXPECT_THROW(create({.model = "small_cnn", .mean = {0, 0, 0}, .std = {1, 0, 1}}, kImage, 10),
               OptionError);
}

TEST(Classifier, NormalisesPerChannelInside) {
  const std::vector<double> mean{0.1, 0.2, 0.3}, std{0.5, 0.25, 2};
  const auto plain = small(1), normalising = small(1, {.mean = mean, .std = std});
  plain.train(false);
  normalising.train(false);
  const auto x = images(2);
  const auto m = torch::tensor(mean, torch::kFloat).view({1, 3, 1, 1});
  const auto s = torch::tensor(std, torch::kFloat).view({1, 3, 1, 1});
  EXPECT_TRUE(at::allclose(normalising(x), plain((x - m) / s), 1e-6, 1e-7));
  EXPECT_FALSE(at::allclose(normalising(x), plain(x), 1e-2, 1e-2));
  EXPECT_TRUE(equal_states(plain.state_dict(), normalising.state_dict()))
      << "mean and std are no part of the state";
}

TEST(Classifier, RefusesBatchesOfAnotherShapeOrType) {
  const auto model = small();
  EXPECT_EQ(message_of<OptionError>([&] {
              model(torch::zeros({2, 1, 28, 28}));
            }),
            "[model] x: expected a float batch (N, 3, 32, 32), got Float (2, 1, 28, 28)");
  EXPECT_THROW(model(torch::zeros({3, 32, 32})), OptionError);
  EXPECT_THROW(model(torch::zeros({2, 3, 32, 32}, torch::kByte)), OptionError);
  EXPECT_FALSE(model.has_layer(Layer::internal));
  EXPECT_THROW(model(images(1), Layer::internal), OptionError);
}

TEST(Classifier, StateDictSharesStorageAndLoadsInPlace) {
  const auto from = small(1), to = small(2);
  const auto parameter = to.parameters().front();
  from(images(4));  // moves the running statistics
  to.load_state_dict(from.state_dict());
  EXPECT_TRUE(equal_states(from.state_dict(), to.state_dict()));
  EXPECT_EQ(parameter.data_ptr(), to.state_dict().front().second.data_ptr());
  EXPECT_TRUE(parameter.requires_grad());
}

TEST(Classifier, LoadingNamesAllThatDoesNotFitAndCopiesNothing) {
  const auto model = small(1);
  const auto before = model.clone();
  auto state = small(2).state_dict();
  ASSERT_EQ(state[0].first, "conv1.weight");
  state[0].second = torch::zeros({4, 3, 5, 5});
  state[1].first = "bn1.wait";
  const auto message = message_of<DataError>([&] { model.load_state_dict(state); });
  EXPECT_NE(message.find("missing: bn1.weight; unknown: bn1.wait; unfit: conv1.weight: expected "
                         "(4, 3, 3, 3) Float, got (4, 3, 5, 5) Float"),
            std::string::npos)
      << message;
  EXPECT_TRUE(equal_states(model.state_dict(), before.state_dict()));
  EXPECT_THROW(model.load_state_dict({}), DataError);
  state = small(2).state_dict();
  state[0].second = state[0].second.to(torch::kDouble);
  EXPECT_THROW(model.load_state_dict(state), DataError);
}

TEST(Classifier, CloneIsDeepAndKeepsModes) {
  const auto model = small(1);
  model.train(false);
  model.parameters()[0].set_requires_grad(false);
  const auto copy = model.clone();
  EXPECT_FALSE(copy.is_training());
  EXPECT_FALSE(copy.parameters()[0].requires_grad());
  EXPECT_TRUE(copy.parameters()[1].requires_grad());
  EXPECT_TRUE(at::equal(model(images(2)), copy(images(2))));
  const torch::NoGradGuard no_grad;
  copy.parameters()[1].fill_(5);
  EXPECT_FALSE(at::equal(model(images(2)), copy(images(2))));
}

class Pair final : public Network {
 public:
  Pair() {
    a = register_module("a",
                        torch::nn::Sequential(torch::nn::Linear(2, 2), torch::nn::Dropout(0.5)));
    b = register_module("b", torch::nn::BatchNorm1d(2));
  }
  at::Tensor forward(const at::Tensor& x, Layer) override { return b(a->forward(x)); }
  torch::nn::Sequential a{nullptr};
  torch::nn::BatchNorm1d b{nullptr};
};

std::string flags(const Network& network) {
  std::string out;
  for (const auto& m : network.modules()) out += m->is_training() ? 't' : 'e';
  for (const auto& p : network.parameters()) out += p.requires_grad() ? 'g' : '-';
  return out;
}

TEST(FrozenEval, RestoresEveryModuleAndParameterOnAnyExit) {
  const auto network = std::make_shared<Pair>();
  const Classifier model(network, {.name = "pair", .num_classes = 2, .input_shape = {2}});
  network->a->eval();
  network->a[1]->train();
  network->b->weight.set_requires_grad(false);
  const auto before = flags(*network);
  EXPECT_EQ(before, "teettgg-g")
      << "self, a, a.0, a.1, b; then a.0.weight, a.0.bias, b.weight, b.bias";
  {
    const auto token = model.frozen_eval();
    EXPECT_EQ(flags(*network), "eeeee----");
    {
      const auto inner = model.frozen_eval();
      EXPECT_EQ(flags(*network), "eeeee----");
    }
    EXPECT_EQ(flags(*network), "eeeee----");
    const auto copy = token;
  }
  EXPECT_EQ(flags(*network), before);
  try {
    const auto token = model.frozen_eval();
    throw NumericError("stop");
  } catch (const NumericError&) {
  }
  EXPECT_EQ(flags(*network), before);
}

TEST(FrozenEval, OutlivesTheClassifier) {
  const auto network = std::make_shared<Pair>();
  std::shared_ptr<void> token;
  {
    const Classifier model(network, {.name = "pair", .num_classes = 2, .input_shape = {2}});
    token = model.frozen_eval();
  }
  token.reset();
  EXPECT_EQ(flags(*network), "tttttgggg");
}

TEST(Callable, IsAClassifierWithItsOwnParameters) {
  const auto weight = torch::ones({3, 2}).requires_grad_();
  const Classifier model([weight](const at::Tensor& x) { return x.matmul(weight.t()); },
                         {.name = "linear", .num_classes = 3, .input_shape = {2}}, {weight});
  EXPECT_TRUE(at::equal(model(torch::ones({4, 2})), torch::full({4, 3}, 2.0)));
  model.train();
  {
    const auto token = model.frozen_eval();
    EXPECT_FALSE(model.is_training());
    EXPECT_FALSE(model(torch::ones({1, 2})).requires_grad());
  }
  EXPECT_TRUE(model.is_training());
  EXPECT_TRUE(weight.requires_grad());
  EXPECT_EQ(model.state_dict().front().first, "parameter.0");
  model.load_state_dict({{"parameter.0", torch::zeros({3, 2})}});
  EXPECT_EQ(weight.abs().sum().item<float>(), 0);
  EXPECT_THROW(model.clone(), OptionError);
  EXPECT_THROW(model.use_channels_last(true), OptionError);
}

TEST(Callable, WrongLogitsAreNamed) {
  const Classifier model([](const at::Tensor& x) { return x; },
                         {.name = "identity", .num_classes = 3, .input_shape = {2}});
  EXPECT_EQ(message_of<OptionError>([&] {
              model(torch::ones({4, 2}));
            }),
            "[model] identity: expected logits of shape (4, 3), got (4, 2)");
}

TEST(Classifier, ChannelsLastChangesOnlyRounding) {
  const auto model = small(1, {.width = 8});
  model.train(false);
  const auto expected = model(images(3));
  const auto parameter = model.parameters().front();
  model.use_channels_last(true);
  EXPECT_TRUE(model.parameters().front().is_same(parameter)) << "optimisers keep their tensors";
  EXPECT_TRUE(parameter.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(at::allclose(model(images(3)), expected, 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(model.clone()(images(3)), model(images(3))));
  model.use_channels_last(false);
  EXPECT_TRUE(at::equal(model(images(3)), expected));
}

}  // namespace
}  // namespace namid::models
