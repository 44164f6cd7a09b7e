// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pt2.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/pt2_parts.h"
#include "namid/core/format.h"
#include "namid/io/zip.h"

namespace namid::io {
namespace {

using nlohmann::json;
using testing::message_of;
using testing::pt2::Parts;
using testing::pt2::tensor;
using testing::pt2::tensor_meta;

void expect_words(const std::string& text, const std::vector<std::string>& words) {
  for (const auto& word : words) EXPECT_NE(text.find(word), std::string::npos) << text;
}

TEST(Pt2, GraphStateAndPortsAreRead) {
  Parts parts;
  parts.extra.emplace_back("extra/namid.json", Bytes{std::byte{'{'}, std::byte{'}'}});
  const auto file = parts.bytes();
  const auto program = parse_pt2(file, "net.pt2");
  EXPECT_EQ(program.name, "net");
  EXPECT_EQ(program.torch, "2.13.0");
  EXPECT_EQ(program.note, "{}");
  EXPECT_EQ(program.value_count, 6u);
  ASSERT_EQ(program.state.size(), 1u);
  EXPECT_EQ(program.state[0].name, "w");
  EXPECT_EQ(program.state[0].role, Pt2Role::parameter);
  EXPECT_EQ(program.state[0].sizes, (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(program.state[0].storage.size(), 24u);
  EXPECT_TRUE(program.input.extents.at(0).dynamic);
  EXPECT_EQ(program.input.extents.at(1).size, 2);
  EXPECT_EQ(program.output.extents.at(1).size, 3);
  ASSERT_EQ(program.nodes.size(), 4u);
  const auto& shape = program.nodes[1].arguments.at(1);
  EXPECT_TRUE(shape.is_list);
  EXPECT_EQ(std::get<Pt2Value>(shape.items.at(0)).index, 2u);
  EXPECT_EQ(std::get<std::int64_t>(shape.items.at(1)), -1);
  EXPECT_EQ(std::get<double>(program.nodes[3].arguments.at(1).items.at(0)), 0.5);
  EXPECT_EQ(program.nodes[3].results.at(0).values,
            (std::vector<std::size_t>{program.output.value}));
  EXPECT_TRUE(is_pt2(file));
  EXPECT_FALSE(is_pt2(encode_zip({{"a/b", {}}})));
}

TEST(Pt2, PicklesAreRefusedOrNeverLookedAt) {
  Parts parts;
  parts.extra.emplace_back("data/sample_inputs/model.pt", Bytes(8, std::byte{0xff}));
  const auto file = parts.bytes();
  EXPECT_NO_THROW(parse_pt2(file, "net.pt2"));
  parts.weight()["use_pickle"] = true;
  expect_words(parts.message(), {"net.pt2[net/data/weights/model_weights_config.json]", "pickle"});
}

TEST(Pt2, OtherArchivesAreToldApart) {
  Parts parts;
  parts.format = "aoti";
  expect_words(parts.message(), {"none of torch.export", "torch.export.save"});
  parts = {};
  parts.version = "1";
  expect_words(parts.message(), {"archive version 1"});
  parts = {};
  parts.order = "big";
  expect_words(parts.message(), {"big-endian"});
  parts = {};
  parts.graph["schema_version"]["major"] = 9;
  expect_words(parts.message(), {"schema version 9", "only 8"});
  parts = {};
  parts.extra.emplace_back("models/second.json", Bytes{});
  expect_words(parts.message(), {"several models"});
}

TEST(Pt2, TensorsStayInsideTheirStorage) {
  Parts parts;
  parts.weight()["tensor_meta"] = tensor_meta({4, 2}, {2, 1});
  expect_words(parts.message(), {"tensor 'w' needs 32 bytes", "has 24"});
  parts.weight()["tensor_meta"] = tensor_meta({3, 2}, {1, 3});
  EXPECT_EQ(parts.message(), "no DataError");  // transposed: the same elements
  parts.weight()["tensor_meta"]["storage_offset"]["as_int"] = 1;
  expect_words(parts.message(), {"needs 28 bytes"});
  parts.weight()["tensor_meta"] = tensor_meta({3, 2}, {2, -1});
  expect_words(parts.message(), {"strides[1]", "got -1"});
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  parts.weight()["tensor_meta"] = tensor_meta({kHuge, kHuge}, {0, 0});
  EXPECT_NE(parts.message(), "no DataError");
  parts.weight()["tensor_meta"] = tensor_meta({2, kHuge}, {kHuge, kHuge});
  EXPECT_NE(parts.message(), "no DataError");
  parts.weight()["tensor_meta"] = tensor_meta({kHuge}, {0});  // one number that stands for 4 TiB
  EXPECT_NE(parts.message(), "no DataError");
  parts.weight()["tensor_meta"] = tensor_meta({3, 2}, {2});
  expect_words(parts.message(), {"do not describe a tensor"});
}

TEST(Pt2, ValuesAreDefinedOnceAndBeforeTheirUse) {
  Parts parts;
  std::swap(parts.nodes()[1], parts.nodes()[2]);
  expect_words(parts.message(), {"nodes[1]", "'flat' is used before it is defined", "linear"});
  parts = {};
  parts.nodes()[3]["outputs"] = json::array({tensor("flat")});
  expect_words(parts.message(), {"'flat' is defined twice"});
  parts = {};
  parts.signature()["output_specs"][0]["user_output"]["arg"] = tensor("z");
  expect_words(parts.message(), {"'z'"});
}

TEST(Pt2, ProgramsInTrainModeOrOfOtherFormsAreRefused) {
  Parts parts;
  auto& outputs = parts.signature()["output_specs"];
  outputs.push_back({{"buffer_mutation", {{"arg", {{"name", "y"}}}, {"buffer_name", "b"}}}});
  expect_words(parts.message(), {"train mode", "model.eval()"});
  outputs[1] = outputs[0];
  expect_words(parts.message(), {"one tensor, the logits"});
  parts = {};
  parts.signature()["input_specs"].erase(1);
  expect_words(parts.message(), {"one input"});
  parts = {};
  parts.nodes()[3]["inputs"][1]["arg"] = {{"as_graph", json::object()}};
  expect_words(parts.message(), {"'as_graph' are not supported", "aten.add.Tensor"});
  parts = {};
  parts.weight()["tensor_meta"]["dtype"] = 9;
  expect_words(parts.message(), {"element type number 9"});
}

TEST(Pt2, WrongTypesAndMissingPartsAreNamed) {
  Parts parts;
  parts.nodes()[2]["target"] = 5;
  expect_words(parts.message(), {"nodes[2].target: expected a text"});
  parts = {};
  parts.nodes()[2].erase("inputs");
  expect_words(parts.message(), {"nodes[2]", "'inputs'", "missing"});
  parts = {};
  parts.nodes() = "none";
  expect_words(parts.message(), {"nodes: expected a list"});
  parts = {};
  parts.nodes()[0]["inputs"][1]["arg"] = {{"as_int", 1}, {"as_bool", true}};
  expect_words(parts.message(), {"one key"});
  parts = {};
  parts.weights["config"].erase("w");
  expect_words(parts.message(), {"model_constants_config.json", "'w'"});
  parts = {};
  parts.weight()["path_name"] = "weight_7";
  expect_words(parts.message(), {"net/data/weights/weight_7", "missing"});
}

TEST(Pt2, DeepNestingIsRefusedNotFollowed) {
  Parts parts;
  json deep = 1;
  for (int i = 0; i < 100; ++i) deep = json::array({deep});
  parts.nodes()[3]["inputs"][1]["arg"] = deep;
  expect_words(parts.message(), {"nests deeper than 64"});
}

TEST(Pt2, EveryTruncationIsRefusedAndNoFlipDoesMoreThanThrow) {
  const auto file = Parts().bytes();
  const auto parse = [](ByteSpan bytes) { parse_pt2(bytes, "net.pt2"); };
  testing::for_each_truncation(file, parse);
  testing::for_each_flip(file, parse);
}

TEST(Pt2, DamagedWeightsAreFoundByTheirChecksum) {
  const auto parts = Parts();
  auto file = parts.bytes();
  const auto found =
      std::search(file.begin(), file.end(), parts.storage.begin(), parts.storage.end());
  *found = std::byte{2};
  expect_words(message_of([&] { parse_pt2(file, "net.pt2"); }), {"weight_0", "checksum differs"});
}

TEST(Pt2, TheHashIsOfWhatIsComputedNotOfNamesAndLines) {
  const auto hash = [](const Parts& parts) {
    const auto file = parts.bytes();
    return pt2_graph_sha256(parse_pt2(file, "net.pt2"));
  };
  const auto reference = hash(Parts());
  Parts parts;
  parts.nodes()[0]["metadata"]["stack_trace"] = "elsewhere";
  parts.nodes()[1]["outputs"] = json::array({tensor("other")});
  parts.nodes()[2]["inputs"][0]["arg"] = tensor("other");
  parts.storage[0] = std::byte{9};
  EXPECT_EQ(hash(parts), reference);
  parts.nodes()[3]["inputs"][1]["arg"] = {{"as_float", 0.25}};
  EXPECT_NE(hash(parts), reference);
  parts = {};
  parts.nodes()[3]["target"] = "torch.ops.aten.sub.Tensor";
  EXPECT_NE(hash(parts), reference);
  parts = {};
  parts.nodes()[3]["inputs"][0]["arg"] = tensor("linear"),
  parts.nodes()[3]["inputs"][1]["arg"] = tensor("linear");
  EXPECT_NE(hash(parts), reference);
}

}  // namespace
}  // namespace namid::io
