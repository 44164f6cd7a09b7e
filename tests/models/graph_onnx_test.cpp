// SPDX-License-Identifier: Apache-2.0
#include "namid/models/graph_onnx.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "models/formula.h"
#include "namid/io/atomic_file.h"
#include "namid/models/registry.h"
#include "namid/run/tensor_file.h"
#include "support/program.h"
#include "support/temp_folder.h"

namespace namid::models {
namespace {

constexpr auto kEveryLayer = R"(
[[layer]]
type = "conv"
channels = 4
kernel = 3
stride = 2
padding = 1
bias = false
[[layer]]
type = "batchnorm"
[[layer]]
type = "relu"
[[layer]]
type = "maxpool"
kernel = 3
stride = 1
padding = 1
[[layer]]
type = "avgpool"
kernel = 2
stride = 2
padding = 1
[[layer]]
type = "flatten"
[[layer]]
type = "linear"
features = 6
[[layer]]
type = "relu"
[[layer]]
type = "linear"
)";

TEST(GraphOnnx, NamesItsEndsAndKeepsEveryWeight) {
  const auto model = create({.model = "mlp", .width = 3}, {1, 2, 2}, 4);
  const auto onnx = to_onnx(describe(model));
  EXPECT_EQ(onnx.input.name, "X");
  EXPECT_EQ(onnx.input.shape, (std::vector<std::int64_t>{1, 1, 2, 2}));
  EXPECT_EQ(onnx.output.name, "Y");
  EXPECT_EQ(onnx.output.shape, (std::vector<std::int64_t>{1, 4}));
  std::vector<std::string> types;
  for (const auto& node : onnx.nodes) types.push_back(node.type);
  EXPECT_EQ(types, (std::vector<std::string>{"Flatten", "Gemm", "Relu", "Gemm", "Relu", "Gemm"}));
  EXPECT_EQ(onnx.nodes.back().outputs, (std::vector<std::string>{"Y"}));
  EXPECT_EQ(onnx.weights.size(), 6u);
}

TEST(GraphOnnx, OnnxruntimeComputesTheSameLogits) {
  const auto python = std::filesystem::path(NAMID_SOURCE_DIR) / "build/certify-peers/bin/python";
  if (!std::filesystem::exists(python))
    GTEST_SKIP() << "no onnxruntime; scripts/certify-peers makes its environment";
  const testing::TempFolder folder;
  const auto put = [&](const std::string& name, const ModelOptions& options) {
    const auto model = create(options, {3, 12, 12}, 5, 7);
    model.train(false);
    const auto x = golden_wave({3, 3, 12, 12}).to(at::kFloat);
    const at::NoGradGuard no_grad;
    run::write_tensor_file(folder / (name + ".safetensors"), {{"x", x}, {"logits", model(x)}});
    io::write_file_atomically(folder / (name + ".onnx"), io::write_onnx(to_onnx(describe(model))));
  };
  put("layers", {.model = "sequential",
                 .mean = {0.4, 0.5, 0.6},
                 .std = {0.2, 0.3, 0.25},
                 .layers = kEveryLayer});
  put("vgg", {.model = "vgg11", .width = 4});
  put("resnet", {.model = "resnet18", .width = 4});
  put("preact", {.model = "preactresnet18", .width = 4});
  const auto told = testing::run_command(python.string() + " -W ignore " + NAMID_SOURCE_DIR +
                                         "/tests/models/onnx_check.py " + folder.path().string());
  ASSERT_EQ(told.code, 0) << told.text;
  std::istringstream lines(told.text);
  std::string name;
  double apart = 0;
  int checked = 0;
  for (; lines >> name >> apart; ++checked) EXPECT_LE(apart, 1e-5) << name;
  EXPECT_EQ(checked, 4) << told.text;
}

}  // namespace
}  // namespace namid::models
