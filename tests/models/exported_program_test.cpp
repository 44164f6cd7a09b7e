// SPDX-License-Identifier: Apache-2.0
#include "namid/models/exported_program.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "namid/attacks/pgd.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/engine/compile.h"
#include "namid/io/zip.h"
#include "namid/models/graph.h"
#include "namid/models/model_file.h"
#include "namid/models/weights.h"
#include "namid/run/tensor_file.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace namid::models {
namespace {

using testing::message_of;

namespace fs = std::filesystem;

/// The programs of program_zoo.py, exported once per process.
const fs::path& zoo() {
  static const testing::TempFolder folder;
  static const fs::path path = [] {
    const auto command = str("OMP_NUM_THREADS=1 ", NAMID_PYTHON, " -W ignore ", NAMID_SOURCE_DIR,
                             "/tests/models/program_zoo.py ", folder.path().string());
    if (std::system(command.c_str()) != 0) throw std::runtime_error("program_zoo.py failed");
    return folder.path();
  }();
  return path;
}

double difference(const at::Tensor& ours, const at::Tensor& theirs) {
  return ((ours - theirs).abs().max() / theirs.abs().max()).item<double>();
}

std::string refusal(const std::string& name) {
  return message_of([&] { load_program(zoo() / (name + ".pt2")); });
}

class Zoo : public ::testing::TestWithParam<std::string> {
 protected:
  void expect_equal(const Classifier& model) const {
    const auto file = run::read_tensor_file(zoo() / (GetParam() + ".safetensors"));
    for (const int batch : {1, 3, 8}) {
      const auto tensor = [&](const char* what) {
        return find_tensor(file.tensors, str(what, ".", batch));
      };
      const auto x = tensor("x").clone().requires_grad_(true);
      const auto frozen = model.frozen_eval();
      const auto logits = model(x);
      (logits * tensor("direction")).sum().backward();
      EXPECT_LE(difference(logits, tensor("logits")), 1e-5) << "batch " << batch;
      EXPECT_LE(difference(x.grad(), tensor("gradient")), 1e-5) << "batch " << batch;
    }
  }
};

TEST_P(Zoo, LogitsAndInputGradientsAreThoseOfPyTorch) {
  const auto model = load_program(zoo() / (GetParam() + ".pt2"));
  EXPECT_EQ(model.info().num_classes, 10);
  EXPECT_EQ(model.info().input_shape, (std::vector<std::int64_t>{3, 32, 32}));
  expect_equal(model);
}

/// Programs of layers that a graph can hold; the others are told the operator that it has not.
const std::map<std::string, std::string> kNotDescribed{{"mobilenet", "hardswish"},
                                                       {"densenet", "cat"},
                                                       {"vit", "select"},
                                                       {"encoder", "mean"},
                                                       {"encoder-core", "mean"},
                                                       {"convnext", "permute"},
                                                       {"mlp", "tanh"},
                                                       {"pools", "stack"},
                                                       {"norms", "log_softmax"},
                                                       {"transposed", "pixel_unshuffle"}};

TEST_P(Zoo, GraphComputesTheProgramsLogitsOrNamesTheOperator) {
  const auto model = load_program(zoo() / (GetParam() + ".pt2"));
  if (const auto refused = kNotDescribed.find(GetParam()); refused != kNotDescribed.end()) {
    EXPECT_NE(message_of([&] { describe(model); }).find(refused->second), std::string::npos)
        << message_of([&] { describe(model); });
    return;
  }
  const auto graph = describe(model);
  const auto file = run::read_tensor_file(zoo() / (GetParam() + ".safetensors"));
  EXPECT_LE(difference(evaluate(graph, find_tensor(file.tensors, "x.3")),
                       find_tensor(file.tensors, "logits.3")),
            1e-5);
}

TEST_P(Zoo, TheEngineComputesWhatPyTorchDoesWhereItKnowsTheLayers) {
  const auto compiled = engine::try_compile(load_program(zoo() / (GetParam() + ".pt2")));
  EXPECT_EQ(compiled.refusal.empty(), !kNotDescribed.contains(GetParam())) << compiled.refusal;
  if (!compiled.refusal.empty()) return;
  const auto file = run::read_tensor_file(zoo() / (GetParam() + ".safetensors"));
  const auto frozen = compiled.model.frozen_eval();
  const auto x = find_tensor(file.tensors, "x.8").clone().requires_grad_(true);
  const auto logits = compiled.model(x);
  (logits * find_tensor(file.tensors, "direction.8")).sum().backward();
  EXPECT_LE(difference(logits, find_tensor(file.tensors, "logits.8")), 1e-4);
  const auto expected = find_tensor(file.tensors, "gradient.8").flatten().to(at::kDouble);
  const auto gradient = x.grad().flatten().to(at::kDouble);
  EXPECT_GE((gradient.dot(expected) / (gradient.norm() * expected.norm())).item<double>(), 0.99999);
}

TEST_P(Zoo, ChannelsLastAndCopiesComputeTheSame) {
  const auto model = load_program(zoo() / (GetParam() + ".pt2"));
  model.use_channels_last(true);
  const auto copy = model.clone();
  for (const auto& parameter : model.parameters()) parameter.detach().zero_();
  expect_equal(copy);
}

INSTANTIATE_TEST_SUITE_P(Programs, Zoo,
                         ::testing::Values("resnet", "resnet-core", "bottleneck", "preact",
                                           "wideresnet", "vgg", "mobilenet", "densenet", "vit",
                                           "encoder", "encoder-core", "convnext", "mlp", "pools",
                                           "norms", "transposed"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(ExportedProgram, WeightGradientsFlowAsInPyTorch) {
  const auto model = load_program(zoo() / "mlp.pt2");
  const auto x = at::rand({3, 3, 32, 32});
  model(x).select(1, 4).sum().backward();
  const auto bias = find_tensor(model.state_dict(), "5.bias");
  const auto parameters = model.parameters();
  EXPECT_EQ(parameters.size(), 6u);
  EXPECT_TRUE(at::equal(bias, parameters.back().detach()));
  auto expected = at::zeros({10});
  expected[4] = 3;
  EXPECT_TRUE(at::equal(parameters.back().grad(), expected)) << parameters.back().grad();
}

TEST(ExportedProgram, ADoubleProgramTakesFloatImages) {
  const auto model = load_program(zoo() / "double.pt2");
  const auto single = load_program(zoo() / "mlp.pt2");
  const auto x = at::rand({3, 3, 32, 32});
  const auto logits = model(x);
  EXPECT_EQ(logits.scalar_type(), at::kFloat);
  EXPECT_LE(difference(logits, single(x)), 1e-5);
}

TEST(ExportedProgram, ImagesMayLieInAnyOrder) {
  for (const auto* name : {"vgg.pt2", "wideresnet.pt2", "bottleneck.pt2"}) {
    const auto model = load_program(zoo() / name);
    const auto x = at::rand({2, 3, 32, 32});
    const auto permuted = x.contiguous(at::MemoryFormat::ChannelsLast);
    EXPECT_LE(difference(model(permuted), model(x)), 1e-5) << name;
  }
}

TEST(ExportedProgram, TheCallersImagesAreNeverChanged) {
  for (const auto* name : {"bottleneck.pt2", "vgg.pt2"}) {
    const auto model = load_program(zoo() / name);
    const auto x = at::rand({2, 3, 32, 32});
    const auto before = x.clone();
    model(x);
    EXPECT_TRUE(at::equal(x, before)) << name;
  }
}

TEST(ExportedProgram, AttacksLeaveModeAndFlagsAsTheyWere) {
  const auto model = load_program(zoo() / "resnet.pt2");
  const auto x = at::rand({4, 3, 32, 32});
  const attacks::PgdOptions options{.budget = {.epsilon = 0.3}, .steps = 10};
  const auto result = attacks::pgd(model, x, model(x).argmax(1), options);
  EXPECT_EQ(result.success.sum().item<std::int64_t>(), 4);
  EXPECT_LE((result.x_adv - x).abs().max().item<double>(), 0.3 + 1e-6);
  for (const auto& parameter : model.parameters()) EXPECT_TRUE(parameter.requires_grad());
}

TEST(ExportedProgram, StateIsNamedAndTellsProgramsApart) {
  const auto model = load_program(zoo() / "wideresnet.pt2");
  const auto state = model.state_dict();
  EXPECT_EQ(state.front().first, "conv.weight");
  for (const auto* name : {"mean", "std", "blocks.0.bn1.running_var", "linear.bias"})
    EXPECT_TRUE(find_tensor(state, name).defined()) << name;
  EXPECT_EQ(state.back().first, "namid.program");
  EXPECT_EQ(state.back().second.sizes(), at::IntArrayRef({32}));
  const auto again = load_program(zoo() / "wideresnet.pt2");
  EXPECT_EQ(weights_sha256(again.state_dict()), weights_sha256(state));
  // The same weights in other operators.
  const auto plain = load_program(zoo() / "resnet.pt2").state_dict();
  const auto core = load_program(zoo() / "resnet-core.pt2").state_dict();
  EXPECT_TRUE(at::equal(find_tensor(plain, "0.0.weight"), find_tensor(core, "0.0.weight")));
  EXPECT_NE(weights_sha256(plain), weights_sha256(core));
}

TEST(ExportedProgram, StateOfAnotherProgramIsRefused) {
  const auto model = load_program(zoo() / "resnet.pt2");
  auto state = model.state_dict();
  for (auto& [name, tensor] : state) tensor = tensor.clone();
  model.parameters()[0].detach().zero_();
  model.load_state_dict(state);
  EXPECT_TRUE(at::equal(model.parameters()[0].detach(), state.front().second));
  EXPECT_THROW(model.load_state_dict(load_program(zoo() / "resnet-core.pt2").state_dict()),
               DataError);
  state.erase(state.begin());
  EXPECT_NE(message_of([&] { model.load_state_dict(state); }).find("missing: 0.0.weight"),
            std::string::npos);
}

TEST(ExportedProgram, WhatIsNotRunIsNamed) {
  const auto has = [](const std::string& text, const std::vector<std::string>& words) {
    for (const auto& word : words) EXPECT_NE(text.find(word), std::string::npos) << text;
  };
  has(refusal("refused-operator"),
      {"refused-operator.pt2", "aten.special_bessel_j0.default", "not among the operators"});
  has(refusal("refused-random"), {"aten.randn_like.default", "random"});
  has(refusal("refused-batchnorm"), {"train mode", "model.eval()"});
  has(refusal("refused-dropout"), {"aten.dropout.default", "train mode", "model.eval()"});
  has(refusal("refused-batch"), {"batches of 1", "dynamic_shapes", "Dim('batch')"});
  has(refusal("refused-outputs"), {"returns one tensor, the logits"});
}

/// A graph of the zoo with one argument of one node made something else.
class SpoiltGraph {
 public:
  SpoiltGraph() : bytes_(io::read_file(zoo() / "resnet-core.pt2")) {
    program = io::parse_pt2(bytes_, "spoilt");
  }
  io::Pt2Argument& argument(const std::string& target, const std::string& name) {
    for (auto& node : program.nodes)
      for (auto& argument : node.arguments)
        if (node.target == target && argument.name == name) return argument;
    throw std::runtime_error("no such argument");
  }
  std::string message() const {
    return message_of([&] {
      std::vector<at::Tensor> state;
      for (const auto& tensor : program.state) state.push_back(at::ones(tensor.sizes));
      ExportedGraph graph(program);
      graph(at::rand({2, 3, 32, 32}), state);
    });
  }

  io::Pt2Program program;

 private:
  io::Bytes bytes_;
};

TEST(ExportedProgram, ArgumentsThatDoNotFitAreErrorsNotCrashes) {
  const std::string norm = "torch.ops.aten._native_batch_norm_legit_no_training.default";
  const std::string conv = "torch.ops.aten.convolution.default";
  EXPECT_EQ(SpoiltGraph().message(), "no such error");
  SpoiltGraph statistics;  // a tensor without elements, which the kernel would read beyond
  statistics.argument(norm, "running_var").items = {io::Pt2Value{statistics.program.input.value}};
  EXPECT_NE(statistics.message().find("one number for each of 16 channels"), std::string::npos);
  SpoiltGraph text;
  text.argument(conv, "stride").items[0] = std::string("two");
  EXPECT_NE(text.message(), "no such error");
  SpoiltGraph number;
  number.argument(conv, "weight").items[0] = 1.5;
  EXPECT_NE(number.message(), "no such error");
  SpoiltGraph missing;
  missing.argument(conv, "weight").name = "weights";
  EXPECT_NE(missing.message().find("argument 'weight' is missing"), std::string::npos);
  SpoiltGraph writes;
  auto& node = writes.program.nodes.back();
  node.target = "torch.ops.aten.add.out";
  EXPECT_NE(writes.message().find("writes into tensors"), std::string::npos) << writes.message();
}

TEST(ExportedProgram, TheListOfOperatorsIsSortedAndKnownToLibTorch) {
  const auto& names = allowed_operators();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  std::set<std::string> known;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames())
    if (name.name.starts_with("aten::")) known.insert(name.name.substr(6));
  for (const auto& name : names) EXPECT_TRUE(known.contains(name)) << name;
  for (const auto* name : {"as_strided", "randn", "set_", "from_file", "resize"})
    EXPECT_FALSE(std::binary_search(names.begin(), names.end(), name)) << name;
}

TEST(ExportedProgram, ArithmeticOnSizesIsThatOfPython) {
  const auto call = [](const char* name, std::vector<c10::IValue> arguments) {
    return symbolic_function(name)(arguments);
  };
  EXPECT_EQ(call("_operator.floordiv", {-7, 2}).toInt(), -4);
  EXPECT_EQ(call("_operator.mod", {-7, 2}).toInt(), 1);
  EXPECT_EQ(call("_operator.mod", {7, -2}).toInt(), -1);
  EXPECT_EQ(call("_operator.mul", {3, 4}).toInt(), 12);
  EXPECT_EQ(call("_operator.sub", {3, 4}).toInt(), -1);
  EXPECT_DOUBLE_EQ(call("_operator.mul", {0.5, 4}).toDouble(), 2);
  EXPECT_DOUBLE_EQ(call("_operator.truediv", {7, 2}).toDouble(), 3.5);
  EXPECT_EQ(call("math.trunc", {-1.5}).toInt(), -1);
  EXPECT_EQ(call("torch.sym_max", {3, 4}).toInt(), 4);
  EXPECT_TRUE(call("_operator.ge", {3, 3}).toBool());
  EXPECT_THROW(call("_operator.floordiv", {1, 0}), DataError);
  EXPECT_THROW(call("_operator.mul", {std::int64_t{1} << 62, 4}), DataError);
  EXPECT_THROW(call("_operator.add", {1}), DataError);
  EXPECT_EQ(symbolic_function("os.system"), nullptr);
}

TEST(TorchScript, ComputesWhatTheProgramComputes) {
  const auto model = load_torchscript(zoo() / "script.pt", {3, 32, 32});
  EXPECT_EQ(model.info().num_classes, 10);
  EXPECT_EQ(model.info().name, "script");
  EXPECT_FALSE(model.is_training());
  const auto x = at::rand({3, 3, 32, 32}).requires_grad_(true);
  const auto first = model(x), second = model(x);
  EXPECT_TRUE(at::equal(first, second));
  first.sum().backward();
  EXPECT_GT(x.grad().abs().sum().item<double>(), 0);
  EXPECT_TRUE(find_tensor(model.state_dict(), "0.1.running_mean").defined());
  EXPECT_THROW(load_torchscript(zoo() / "script.pt", {5, 8, 8}), DataError);
  EXPECT_THROW(load_torchscript(zoo() / "resnet.pt2", {3, 32, 32}), DataError);
}

TEST(ModelFile, OldProgramsAreToldToBeExportedAgain) {
  const testing::TempFolder folder;
  const auto bytes = io::encode_zip({{"serialized_exported_program.json", {}}});
  std::ofstream(folder / "old.pt2", std::ios::binary) << io::as_text(bytes);
  const auto message = message_of([&] { model_file_kind(folder / "old.pt2"); });
  EXPECT_NE(message.find("before torch 2.8"), std::string::npos) << message;
}

TEST(ModelFile, IsToldByItsContent) {
  EXPECT_EQ(model_file_kind(zoo() / "resnet.pt2"), ModelFile::pt2);
  EXPECT_EQ(model_file_kind(zoo() / "script.pt"), ModelFile::torchscript);
  EXPECT_EQ(model_file_kind(zoo() / "weights.pth"), ModelFile::checkpoint);
  EXPECT_EQ(model_file_kind(zoo() / "resnet.safetensors"), ModelFile::safetensors);
}

}  // namespace
}  // namespace namid::models
