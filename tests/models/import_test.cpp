// SPDX-License-Identifier: Apache-2.0
#include "namid/models/import_weights.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/models/registry.h"
#include "namid/models/weights.h"
#include "support/errors.h"
#include "support/known_models.h"
#include "support/temp_folder.h"

namespace namid::models {
namespace {

using testing::message_of;

const std::vector<std::int64_t> kShape{3, 16, 16};

/// A network whose BatchNorm statistics have moved, in eval mode.
Classifier trained(const std::string& name, std::uint64_t seed = 1) {
  const auto model = create({.model = name, .width = 4}, kShape, 5, seed);
  model(at::rand({4, 3, 16, 16}));
  model.train(false);
  return model;
}

ImportOptions options(const std::filesystem::path& file) {
  return {.weights = file.string(), .width = 4};
}

TensorMap renamed(const TensorMap& state, const std::function<std::string(std::string)>& rename) {
  TensorMap out;
  for (const auto& [name, tensor] : state) out.emplace_back(rename(name), tensor);
  return out;
}

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

TEST(Import, WrappersAndNamesOfOtherLibrariesAreTranslated) {
  const testing::TempFolder folder;
  const auto model = trained("resnet18-cifar");
  const auto x = at::rand({2, 3, 16, 16});
  const std::map<std::string, std::function<std::string(std::string)>> dialects{
      {"plain", [](auto name) { return name; }},
      {"data_parallel", [](auto name) { return "module." + name; }},
      {"compiled", [](auto name) { return "_orig_mod.module." + name; }},
      {"torchvision",
       [](auto name) {
         return replace_all(replace_all(name, "shortcut", "downsample"), "linear.", "fc.");
       }},
      {"lightning",
       [](auto name) { return "model." + replace_all(name, "linear.", "classifier."); }}};
  for (const auto& [dialect, rename] : dialects)
    for (const auto* extension : {".pth", ".safetensors"}) {
      SCOPED_TRACE(dialect + extension);
      const auto file = folder / (dialect + extension);
      write_weight_file(file, renamed(model.state_dict(), rename));
      const auto loaded = import_model("resnet18-cifar", options(file), kShape, 5);
      EXPECT_TRUE(at::equal(loaded(x), model(x)));
    }
}

TEST(Import, NormalisationBesideTheWeightsBecomesTheModels) {
  const testing::TempFolder folder;
  const auto file = folder / "robust.pth";
  auto state = renamed(trained("wideresnet-10-1").state_dict(),
                       [](const auto& name) { return "module." + name; });
  state.emplace_back("module.mu", at::tensor({0.5F, 0.25F, 0.125F}).reshape({1, 3, 1, 1}));
  state.emplace_back("module.sigma", at::tensor({2.0F, 1.0F, 0.5F}).reshape({3, 1, 1}));
  write_weight_file(file, state);
  const auto loaded = import_model("wideresnet-10-1", options(file), kShape, 5);
  EXPECT_EQ(loaded.info().mean, (std::vector<double>{0.5, 0.25, 0.125}));
  EXPECT_EQ(loaded.info().std, (std::vector<double>{2, 1, 0.5}));
  auto other = options(file);
  other.mean = {0.5, 0.5, 0.5};
  other.std = {1, 1, 1};
  EXPECT_NE(message_of<OptionError>([&] {
              import_model("wideresnet-10-1", other, kShape, 5);
            }).find("holds 0.5,0.25,0.125, got 0.5,0.5,0.5"),
            std::string::npos);
  const auto without = create({.model = "wideresnet-10-1", .width = 4}, kShape, 5);
  EXPECT_NE(message_of<DataError>([&] { load_weights(file, without); }).find("normalisation"),
            std::string::npos);
}

TEST(Import, HalfPrecisionIsWidenedAndOldFilesLackCounters) {
  const testing::TempFolder folder;
  const auto file = folder / "half.pth";
  const auto model = trained("small_cnn");
  TensorMap state;
  for (const auto& [name, tensor] : model.state_dict())
    if (!name.ends_with("num_batches_tracked"))
      state.emplace_back(name, tensor.is_floating_point() ? tensor.to(at::kBFloat16) : tensor);
  write_weight_file(file, state);
  const auto loaded = import_model("small_cnn", options(file), kShape, 5);
  EXPECT_TRUE(
      at::equal(loaded.parameters()[0], model.parameters()[0].to(at::kBFloat16).to(at::kFloat)));
}

TEST(Import, NamesByOrderNeedEqualShapes) {
  const testing::TempFolder folder;
  const auto file = folder / "w.pth";
  const auto model = trained("small_cnn");
  int count = 0;
  auto state = renamed(model.state_dict(), [&](const auto&) { return str("tensor", count++); });
  write_weight_file(file, state);
  auto by_order = options(file);
  by_order.keys = KeyNames::order;
  const auto x = at::rand({2, 3, 16, 16});
  EXPECT_TRUE(at::equal(import_model("small_cnn", by_order, kShape, 5)(x), model(x)));
  std::swap(state[0], state[2]);
  write_weight_file(file, state);
  EXPECT_NE(message_of<DataError>([&] {
              import_model("small_cnn", by_order, kShape, 5);
            }).find("w.pth: names by order: tensor 1, 'tensor2', does not have the shape of"),
            std::string::npos);
}

TEST(Import, WhatDoesNotFitIsNamedWithItsNearest) {
  const testing::TempFolder folder;
  const auto file = folder / "w.pth";
  auto state = trained("small_cnn").state_dict();
  state[0].first = "cnv1.weight";
  write_weight_file(file, state);
  const auto text =
      message_of<DataError>([&] { import_model("small_cnn", options(file), kShape, 5); });
  for (const auto* part : {"w.pth: state dict does not fit", "missing: conv1.weight",
                           "unknown: cnv1.weight", "'cnv1.weight' in the file to conv1.weight",
                           "all shapes fit in the file's order: keys = order"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  state.emplace_back("module.conv1.weight", state[0].second);
  state[0].first = "conv1.weight";
  state.emplace_back("fc9.weight", at::ones({1}));
  write_weight_file(file, state);
  EXPECT_THROW(import_model("small_cnn", options(file), kShape, 5), DataError);
}

TEST(Import, ACheckpointsStateDictIsFoundOrChosen) {
  // A name with dots reads as the nesting that torch.save would write.
  const testing::TempFolder folder;
  const auto file = folder / "w.safetensors";
  write_weight_file(file, {{"w", at::ones({1})}});
  EXPECT_NE(message_of<OptionError>([&] {
              read_weight_file(file, "model");
            }).find("has no parts to choose from"),
            std::string::npos);
  const auto checkpoint = std::filesystem::path(NAMID_SOURCE_DIR) / "tests/fixtures";
  const auto all = read_weight_file(checkpoint / "torch_checkpoint.pth");
  EXPECT_EQ(all.entry, "state_dict.");
  EXPECT_EQ(all.tensors[1].first, "conv.weight");
  EXPECT_EQ(all.unverified, 0);
  const auto sgd = read_weight_file(checkpoint / "torch_checkpoint_legacy.pth", "optimizer");
  EXPECT_EQ(sgd.tensors[0].first, "state.0.momentum_buffer");
  EXPECT_EQ(sgd.unverified, static_cast<std::int64_t>(sgd.tensors.size()));
}

TEST(Import, ArraysOfNumpyAreWeightsToo) {
  const testing::TempFolder folder;
  const auto file = folder / "w.npz";
  const std::vector<float> values{1, 2, 3};
  io::write_npz(file, {{"fc.bias", io::npy_array<float>({3}, values)}});
  const auto read = read_weight_file(file);
  ASSERT_EQ(read.tensors.size(), 1U);
  EXPECT_EQ(read.tensors[0].first, "fc.bias");
  EXPECT_TRUE(at::equal(read.tensors[0].second, at::tensor({1.0F, 2.0F, 3.0F})));
}

TEST(Import, AHeadersLengthIsNotTakenForAnotherFormat) {
  for (const std::string first : {"\x80\x02", "PK"}) {
    auto bytes = first;
    bytes.resize(8);
    EXPECT_EQ(weight_format(io::as_bytes(bytes + "{}"), "f"), WeightFormat::safetensors);
  }
}

TEST(Import, OtherExtensionsAreRefusedBeforeAnythingIsWritten) {
  EXPECT_THROW(write_weight_file("w.bin.gz", {}), OptionError);
  EXPECT_THROW(weight_format(io::as_bytes("no weights at all"), "f"), DataError);
}

constexpr const char* kLeNet = R"(
[[layer]]
type = "conv"
channels = 32
padding = 1
[[layer]]
type = "relu"
[[layer]]
type = "maxpool"
[[layer]]
type = "conv"
channels = 64
padding = 1
[[layer]]
type = "relu"
[[layer]]
type = "maxpool"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 200
[[layer]]
type = "relu"
[[layer]]
type = "linear"
)";

constexpr const char* kConvex = R"(
[[layer]]
type = "conv"
channels = 16
kernel = 4
stride = 2
padding = 1
[[layer]]
type = "relu"
[[layer]]
type = "conv"
channels = 32
kernel = 4
stride = 2
padding = 1
[[layer]]
type = "relu"
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 100
[[layer]]
type = "relu"
[[layer]]
type = "linear"
)";

TEST(ImportData, PublishedNetworksReachTheirAccuracyFromTheReleasedFile) {
  NAMID_NEEDS_DATA();
  const auto batch = testing::mnist(10000);
  const at::NoGradGuard no_grad;
  const auto right = [&](const std::string& file, const char* layers, KeyNames keys) {
    const auto model = import_model("sequential",
                                    {.weights = (testing::data_folder() / "models" / file).string(),
                                     .keys = keys,
                                     .layers = layers},
                                    {1, 28, 28}, 10);
    return (model(batch.x).argmax(1) == batch.y).sum().item<std::int64_t>();
  };
  EXPECT_EQ(right("lenet5_clntrained.pt", kLeNet, KeyNames::order), 9889);
  EXPECT_EQ(right("convex_mnist.pth", kConvex, KeyNames::mapped), 9820);
}

}  // namespace
}  // namespace namid::models
