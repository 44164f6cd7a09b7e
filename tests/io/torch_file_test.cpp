// SPDX-License-Identifier: Apache-2.0
#include "namid/io/torch_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <map>

#include "io/corruption.h"
#include "io/pickle_builder.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

using testing::message_of;

/// A file of tests/fixtures/make_torch_fixtures.py, kept as long as its TorchFile.
struct Fixture {
  explicit Fixture(const std::string& name)
      : bytes(read_file(str(NAMID_SOURCE_DIR, "/tests/fixtures/torch_", name, ".pth"))),
        file(bytes, name) {}
  const TorchTensor& tensor(const std::string& name) const {
    const auto& all = file.tensors();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const TorchTensor& tensor) { return tensor.name == name; });
    if (found == all.end()) throw DataError("no tensor " + name);
    return *found;
  }
  std::string object(const std::string& name) const {
    for (const auto& object : file.objects())
      if (object.name == name) return object.text;
    return "no object";
  }
  std::vector<float> floats(const std::string& name) const {
    const auto bytes_of = file.contents(tensor(name));
    std::vector<float> out(bytes_of.size() / 4);
    if (!out.empty()) std::memcpy(out.data(), bytes_of.data(), bytes_of.size());
    return out;
  }
  Bytes bytes;
  TorchFile file;
};

std::vector<std::string> names(const std::vector<TorchTensor>& tensors, std::size_t from = 0) {
  std::vector<std::string> out;
  for (const auto& tensor : tensors) out.push_back(tensor.name.substr(from));
  return out;
}

const std::vector<std::string> kNet{
    "seen",         "conv.weight",     "conv.bias",      "bn.weight",
    "bn.bias",      "bn.running_mean", "bn.running_var", "bn.num_batches_tracked",
    "head.1.weight"};

TEST(TorchFile, ReadsAStateDictInBothForms) {
  for (const auto* name : {"state_dict", "state_dict_legacy"}) {
    SCOPED_TRACE(name);
    const Fixture fixture(name);
    EXPECT_EQ(names(fixture.file.tensors()), kNet);
    EXPECT_EQ(fixture.file.is_zip(), std::string(name) == "state_dict");
    EXPECT_EQ(fixture.floats("bn.running_mean"), (std::vector<float>{50, 51}));
    EXPECT_EQ(fixture.tensor("conv.weight").shape, (std::vector<std::int64_t>{2, 1, 2, 2}));
    EXPECT_EQ(fixture.tensor("bn.num_batches_tracked").dtype, DType::i64);
    EXPECT_TRUE(fixture.file.foreign_globals().empty());
    EXPECT_EQ(state_dict_prefix(fixture.file, ""), "");
  }
}

TEST(TorchFile, AWholeModuleGivesTheTensorsOfItsStateDict) {
  const Fixture module("module"), state("state_dict");
  EXPECT_EQ(names(module.file.tensors()), kNet);
  for (const auto& tensor : module.file.tensors())
    EXPECT_EQ(module.file.contents(tensor), state.file.contents(state.tensor(tensor.name)));
  EXPECT_EQ(module.object("conv"), "torch.nn.modules.conv.Conv2d()");
  EXPECT_EQ(module.file.foreign_globals().front(), "nets.Net");
}

TEST(TorchFile, FindsTheStateDictOfACheckpoint) {
  for (const auto* name : {"checkpoint", "checkpoint_legacy"}) {
    const Fixture fixture(name);
    EXPECT_EQ(state_dict_prefix(fixture.file, ""), "state_dict.");
    EXPECT_EQ(state_dict_prefix(fixture.file, "optimizer.state"), "optimizer.state.");
    EXPECT_EQ(state_dict_prefix(fixture.file, "."), "");
    EXPECT_EQ(fixture.floats("optimizer.state.0.momentum_buffer"), std::vector<float>(8, 1));
    EXPECT_EQ(fixture.floats("by.k.0"), (std::vector<float>{-3, -2}));
    EXPECT_EQ(fixture.object("epoch"), "12");
    EXPECT_EQ(fixture.object("history"), "[0.5, 0.25]");
    EXPECT_EQ(fixture.object("big"), "0x400000000000000000");
    EXPECT_EQ(fixture.object("kinds"), "[1]");
    EXPECT_EQ(fixture.object("seen.a"), "2");
    EXPECT_EQ(fixture.object("args"), "argparse.Namespace()");
    EXPECT_EQ(fixture.object("args.name"), "'sgd'");
    EXPECT_EQ(fixture.file.foreign_globals(), std::vector<std::string>{"argparse.Namespace"});
    EXPECT_NE(message_of([&] {
                state_dict_prefix(fixture.file, "model");
              }).find("no tensor lies below 'model'; there are: state_dict, optimizer"),
              std::string::npos);
  }
}

TEST(TorchFile, ReadsEveryElementType) {
  const Fixture fixture("types");
  const std::map<std::string, DType> expected{
      {"float64", DType::f64},        {"float32", DType::f32}, {"float16", DType::f16},
      {"bfloat16", DType::bf16},      {"int64", DType::i64},   {"int32", DType::i32},
      {"int16", DType::i16},          {"int8", DType::i8},     {"bool", DType::boolean},
      {"complex64", DType::c64},      {"uint8", DType::u8},    {"uint16", DType::u16},
      {"uint32", DType::u32},         {"uint64", DType::u64},  {"float8_e4m3fn", DType::f8_e4m3},
      {"float8_e5m2", DType::f8_e5m2}};
  ASSERT_EQ(fixture.file.tensors().size(), expected.size());
  for (const auto& [name, dtype] : expected) EXPECT_EQ(fixture.tensor(name).dtype, dtype) << name;
  const auto hex = [&](const std::string& name) {
    std::string text;
    for (const auto byte : fixture.file.contents(fixture.tensor(name)))
      text += str(text.empty() ? "" : " ", std::to_integer<int>(byte));
    return text;
  };
  EXPECT_EQ(hex("float16"), "0 194 0 192 0 188 0 0");  // -3, -2, -1, 0
  EXPECT_EQ(hex("bfloat16"), "64 192 0 192 128 191 0 0");
  EXPECT_EQ(hex("int8"), "253 254 255 0");
  EXPECT_EQ(hex("bool"), "1 1 1 0");
  EXPECT_EQ(hex("uint16"), "0 0 1 0 2 0 3 0");
  EXPECT_EQ(hex("float8_e5m2"), "194 192 188 0");
}

TEST(TorchFile, ViewsGiveTheirOwnElements) {
  for (const auto* name : {"views", "views_legacy"}) {
    const Fixture fixture(name);
    EXPECT_EQ(fixture.file.storages().size(), 2U);  // all views but the empty tensor share one
    EXPECT_EQ(fixture.floats("transposed"),
              (std::vector<float>{-3, 3, 9,  15, -2, 4, 10, 16, -1, 5, 11, 17,
                                  0,  6, 12, 18, 1,  7, 13, 19, 2,  8, 14, 20}));
    EXPECT_EQ(fixture.floats("slice"), (std::vector<float>{3, 5, 7, 9, 11, 13}));
    EXPECT_EQ(fixture.floats("row"), (std::vector<float>{9, 10, 11, 12, 13, 14}));
    EXPECT_EQ(fixture.floats("expanded"),
              (std::vector<float>{-3, -2, -1, 0, 1, 2, -3, -2, -1, 0, 1, 2, -3, -2, -1, 0, 1, 2}));
    EXPECT_EQ(fixture.floats("scalar"), std::vector<float>{20});
    EXPECT_TRUE(fixture.tensor("scalar").shape.empty());
    EXPECT_TRUE(fixture.floats("empty").empty());
    EXPECT_EQ(fixture.floats("parameter"), (std::vector<float>{-3, -2, -1, 0, 1, 2}));
    EXPECT_EQ(fixture.floats("again"), fixture.floats("base"));
  }
}

TEST(TorchFile, CodeIsListedAndNeverRun) {
  const Fixture fixture("command");
  EXPECT_EQ(fixture.file.foreign_globals(), std::vector<std::string>{"posix.system"});
  EXPECT_EQ(fixture.object("x"), "posix.system('touch torch-file-test-was-run')");
  EXPECT_EQ(fixture.floats("w"), (std::vector<float>{-3, -2}));
  EXPECT_FALSE(std::filesystem::exists("torch-file-test-was-run"));
}

TEST(TorchFile, ChecksumsAreCheckedWhereThereAreAny) {
  EXPECT_EQ(Fixture("views").file.storages()[0].checksum, Checksum::verified);
  EXPECT_EQ(Fixture("unverified").file.storages()[0].checksum, Checksum::unverified);
  EXPECT_EQ(Fixture("views_legacy").file.storages()[0].checksum, Checksum::none);
  auto bytes = Fixture("views").bytes;
  const std::string text(as_text(bytes));
  const float twenty = 20;
  const auto at = text.find(std::string(reinterpret_cast<const char*>(&twenty), 4));
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= std::byte{1};
  EXPECT_NE(message_of([&] { TorchFile(bytes, "f.pth"); })
                .find("f.pth[torch_views/data/0]: offset 0: "
                      "the checksum differs"),
            std::string::npos);
}

TEST(TorchFile, ATensorAloneHasNoName) {
  const Fixture fixture("protocol4");
  EXPECT_EQ(names(fixture.file.tensors()), std::vector<std::string>{""});
  EXPECT_EQ(fixture.floats(""), (std::vector<float>{-3, -2, -1, 0, 1, 2}));
}

TEST(TorchFile, OrderedDictsOfPairsAndNamedModuleClassesAreRead) {
  // Python 2 wrote OrderedDict([[key, value]]); the older form names classes by persistent ids.
  using testing::PickleBuilder;
  PickleBuilder pairs;
  pairs.global("collections", "OrderedDict").mark().mark().mark().text("w");
  pairs.tensor("0", 2, {2}).op('l').op('l').op('t').op('R');
  const auto bytes = testing::legacy_file(pairs.bytes(), {{"0", 8}});
  EXPECT_EQ(names(TorchFile(bytes, "f").tensors()), std::vector<std::string>{"w"});

  PickleBuilder module;
  module.mark()
      .text("module")
      .global("nets", "Net")
      .text("nets.py")
      .text("class Net")
      .op('t')
      .op('Q');
  module.op(')').op(0x81).op('}').mark();
  module.text("_parameters").op('}').text("w").tensor("0", 2, {2}).op('s');
  module.text("_modules").op('}').op('u').op('b');
  const auto file_bytes = testing::legacy_file(module.bytes(), {{"0", 8}});
  const TorchFile file(file_bytes, "f");
  EXPECT_EQ(names(file.tensors()), std::vector<std::string>{"w"});
  EXPECT_EQ(file.objects().at(0).text, "nets.Net()");
}

TEST(TorchFile, ModulesOfTorchScriptAreNamedAsTheirStateDict) {
  testing::PickleBuilder script;
  script.global("__torch__.Net", "Net").op(')').op(0x81).op('}').mark().text("training").op(0x88);
  script.text("0").global("__torch__.Linear", "Linear").op(')').op(0x81).op('}').text("weight");
  script.tensor("0", 2, {2}).op('s').op('b').op('u').op('b');
  const auto bytes = testing::zip_file(script.bytes(), {{"0", 8}});
  const TorchFile file(bytes, "f");
  EXPECT_EQ(names(file.tensors()), std::vector<std::string>{"0.weight"});
  EXPECT_EQ(state_dict_prefix(file, ""), "");
}

TEST(TorchFile, ManyTensorsInASmallFileAreReadAndManyObjectsCounted) {
  testing::PickleBuilder tensors, objects;
  tensors.op('}').mark();
  for (int i = 0; i < 3000; ++i) tensors.text(str("layer", i, ".weight")).tensor("0", 2, {2});
  const auto bytes = testing::zip_file(tensors.op('u').bytes(), {{"0", 8}});
  EXPECT_EQ(TorchFile(bytes, "f").tensors().size(), 3000U);
  objects.op('}').mark();
  for (int i = 0; i < 12'000; ++i) objects.text(std::to_string(i)).integer(i);
  const auto many = testing::zip_file(objects.op('u').bytes(), {});
  const TorchFile file(many, "f");
  EXPECT_EQ(file.objects().size(), 10'001U);
  EXPECT_EQ(file.objects().back().text, "2000 more objects");
}

TEST(TorchFile, BigEndianFilesAreTurnedRound) {
  testing::PickleBuilder tensor;
  tensor.tensor("0", 1, {1});
  auto bytes = testing::zip_file(tensor.bytes(), {{"0", 4}}, "big");
  const TorchFile file(bytes, "f");
  // The record is 0, 1, 2, 3.
  EXPECT_EQ(file.contents(file.tensors().at(0)),
            (Bytes{std::byte{3}, std::byte{2}, std::byte{1}, std::byte{0}}));
}

TEST(TorchFile, TruncationAnywhereIsADataError) {
  for (const auto* name : {"state_dict_legacy", "views", "command"})
    testing::for_each_truncation(Fixture(name).bytes, [](ByteSpan cut) { TorchFile(cut, "f"); });
}

TEST(TorchFile, DamageNeverDoesMoreThanThrow) {
  for (const auto* name : {"state_dict_legacy", "views", "command"})
    testing::for_each_flip(Fixture(name).bytes, [](ByteSpan damaged) {
      const TorchFile file(damaged, "f", 1 << 20);
      for (const auto& tensor : file.tensors()) file.contents(tensor);
    });
}

TEST(TorchFile, EveryFlippedBitOfAZipRecordIsFound) {
  const auto good = Fixture("views").bytes;
  const ZipArchive archive(good, "f");
  const auto* entry = archive.find("torch_views/data/0");
  ASSERT_NE(entry, nullptr);
  for (std::uint64_t bit = 0; bit < 8 * entry->size; ++bit) {
    auto bad = good;
    bad[entry->data_offset + bit / 8] ^= std::byte(1U << bit % 8);
    EXPECT_THROW(TorchFile(bad, "f"), DataError) << bit;
  }
}

}  // namespace
}  // namespace namid::io
