// SPDX-License-Identifier: Apache-2.0
#include "namid/models/mi_networks.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/registry.h"

namespace namid::models {
namespace {

using Sizes = std::vector<std::int64_t>;

std::pair<std::int64_t, std::int64_t> counts(const Network& network) {
  std::int64_t parameters = 0, buffers = 0;
  for (const auto& p : network.parameters()) parameters += p.numel();
  for (const auto& b : network.buffers()) buffers += b.numel();
  return {parameters, buffers};
}

TEST(MiNetworks, CountsAreThoseOfTheReference) {
  using Pair = std::pair<std::int64_t, std::int64_t>;
  EXPECT_EQ(counts(*make_local_net(3, 2048)), (Pair{4863360, 4483}));
  EXPECT_EQ(counts(*make_global_net(Layer::logits, 10, 2048)), (Pair{4245504, 4097}));
  EXPECT_EQ(counts(*make_global_net(Layer::logits, 64, 2048)), (Pair{4466688, 4097}));
  EXPECT_EQ(counts(*make_global_net(Layer::logits, 200, 2048)), (Pair{5023744, 4097}));
  EXPECT_EQ(counts(*make_global_net(Layer::internal, 256, 2048)), (Pair{75510784, 7171}));
  EXPECT_EQ(counts(*make_global_net(Layer::internal_last, 512, 2048)), (Pair{67121152, 6146}));
  EXPECT_EQ(make_local_net(3, 16)->parameters().size(), 14u) << "aliases are not parameters";
}

std::vector<std::string> norm(const std::string& name) {
  return {name + ".weight", name + ".bias", name + ".running_mean", name + ".running_var",
          name + ".num_batches_tracked"};
}

std::vector<std::string> joined(const std::vector<std::vector<std::string>>& parts) {
  std::vector<std::string> out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

const std::vector<std::string> kBlockKeys =
    joined({{"block_nonlinear.0.weight"},
            norm("block_nonlinear.1"),
            {"block_nonlinear.3.weight", "block_nonlinear.3.bias", "block_ln.1.weight",
             "block_ln.1.bias", "linear_shortcut.weight"}});

std::vector<std::string> keys(const TensorMap& state) {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : state) out.push_back(name);
  return out;
}

TEST(MiNetworks, KeysAreThoseOfTheReference) {
  const auto local = keys(state_dict(*make_local_net(3, 16)));
  EXPECT_EQ(local.size(), 35u);
  EXPECT_EQ(local, joined({{"layer0.0.weight"},
                           norm("layer0.1"),
                           {"layer1.0.weight"},
                           norm("layer1.1"),
                           {"layers.0.0.weight"},
                           norm("layers.0.1"),
                           {"layers.1.0.weight"},
                           norm("layers.1.1"),
                           kBlockKeys}));
  const auto global = keys(state_dict(*make_global_net(Layer::logits, 10, 16)));
  EXPECT_EQ(global.size(), 11u);
  EXPECT_EQ(global, kBlockKeys);
}

TEST(LocalNet, LoadsEitherAliasAndRefusesContradictions) {
  const auto from = make_local_net(3, 16, 1);
  const auto full = state_dict(*from);
  for (const std::string left_out : {"layer0.", "layers.0.", "layers."}) {
    TensorMap state;
    for (const auto& entry : full)
      if (!entry.first.starts_with(left_out)) state.push_back(entry);
    const auto to = make_local_net(3, 16, 2);
    load_state_dict(*to, state);
    for (std::size_t i = 0; i < full.size(); ++i)
      EXPECT_TRUE(at::equal(state_dict(*to)[i].second, full[i].second)) << full[i].first;
  }
  auto contradicting = full;
  for (auto& [name, tensor] : contradicting)
    if (name == "layers.0.0.weight") tensor = torch::zeros_like(tensor);
  EXPECT_THROW(load_state_dict(*from, contradicting), DataError);
  EXPECT_THROW(load_state_dict(*from, {}), DataError);
}

TEST(LocalNet, HasALocationForEveryFourthPixel) {
  const auto expected = [](std::int64_t side) { return Sizes{2, 16, side, side}; };
  for (const auto& [size, side] : {std::pair{28, 7}, {32, 8}, {64, 16}})
    for (const std::int64_t channels : {1, 3})
      EXPECT_EQ(make_local_net(channels, 16)
                    ->forward(torch::rand({2, channels, size, size}), Layer::logits)
                    .sizes(),
                expected(side));
}

TEST(LocalNet, ShortcutStartsNearTheIdentity) {
  const auto wide = make_local_net(3, 200)->named_parameters()["linear_shortcut.weight"].flatten(1);
  EXPECT_TRUE(at::equal(wide.diagonal(), torch::ones({128})));
  const auto rest = wide - torch::eye(200, 128);
  EXPECT_LE(rest.abs().max().item<float>(), 0.01f);
  EXPECT_GT(rest.abs().max().item<float>(), 0.0099f);
  const auto narrow = make_local_net(3, 64)->named_parameters()["linear_shortcut.weight"];
  EXPECT_GT(narrow.abs().max().item<float>(), 0.08f) << "fewer units than inputs: PyTorch default";
  EXPECT_LE(narrow.abs().max().item<float>(), 1 / std::sqrt(128.0f));
}

TEST(GlobalNet, TakesLogitsAsMatrixOrMap) {
  const auto network = make_global_net(Layer::logits, 10, 16);
  network->eval();
  const auto logits = torch::randn({3, 10});
  const auto out = network->forward(logits, Layer::logits);
  EXPECT_EQ(out.sizes(), (Sizes{3, 16, 1, 1}));
  EXPECT_TRUE(at::equal(out, network->forward(logits.view({3, 10, 1, 1}), Layer::logits)));
  EXPECT_THROW(network->forward(logits, Layer::internal), OptionError);
}

TEST(GlobalNet, TakesTheMapsOfAnyImageSize) {
  for (const std::string name : {"resnet18", "resnet18-cifar"})
    for (const std::int64_t size : {28, 32, 64}) {
      SCOPED_TRACE(str(name, " ", size));
      const auto model = create({.model = name, .width = 2}, {1, size, size}, 10);
      const auto x = torch::rand({2, 1, size, size});
      for (const auto layer : {Layer::internal, Layer::internal_last}) {
        const auto map = model(x, layer);
        const auto network = make_global_net(layer, map.size(1), 16);
        EXPECT_EQ(network->forward(map, Layer::logits).sizes(), (Sizes{2, 16, 1, 1}));
      }
    }
}

TEST(MiNetworks, SeedsDecideWeightsAndCopiesAreDeep) {
  const auto same = [](const Network& a, const Network& b) {
    return at::equal(a.parameters()[0], b.parameters()[0]);
  };
  EXPECT_TRUE(same(*make_local_net(3, 16, 5), *make_local_net(3, 16, 5)));
  EXPECT_FALSE(same(*make_local_net(3, 16, 5), *make_local_net(3, 16, 6)));
  const auto network = make_global_net(Layer::internal, 4, 8, 1);
  const auto copy = deep_copy(*network);
  EXPECT_TRUE(same(*network, *copy));
  EXPECT_NE(network->parameters()[0].data_ptr(), copy->parameters()[0].data_ptr());
  EXPECT_THROW(make_local_net(0, 16), OptionError);
  EXPECT_THROW(make_global_net(Layer::logits, 10, 0), OptionError);
}

}  // namespace
}  // namespace namid::models
