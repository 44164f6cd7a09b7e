// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pickle.h"

#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <string>

#include "io/corruption.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/cifar_python.h"

namespace namid::io {
namespace {

using testing::message_of;

Bytes fixture(const std::string& name) {
  return read_file(str(NAMID_SOURCE_DIR, "/tests/fixtures/", name));
}

/// The program lives until the test program ends, as the pickle points into it.
Pickle parse(const std::string& program) {
  static std::deque<std::string> programs;
  return {as_bytes(programs.emplace_back(program)), "f"};
}

/// A program of bytes that may be zero.
template <std::size_t size>
std::string program(const char (&text)[size]) {
  return {text, size - 1};
}

TEST(Pickle, ReadsIntegersOfEverySize) {
  const auto pickle =
      parse(program("\x80\x02](K\xffM\xff\xffJ\xfe\xff\xff\xff\x8a\x02\x00\x80"
                    "\x8a\x00\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fI-7\ne."));
  EXPECT_EQ(pickle.integers(pickle.root(), "numbers"),
            (std::vector<std::int64_t>{255, 65535, -2, -32768, 0,
                                       std::numeric_limits<std::int64_t>::max(), -7}));
}

TEST(Pickle, ReadsScalarsAndTexts) {
  const auto pickle = parse(program("(N\x88\x89G\x3f\xe0\0\0\0\0\0\0X\2\0\0\0\xc3\xa9U\1at."));
  const auto& items = pickle[pickle.root()].items;
  ASSERT_EQ(items.size(), 6U);
  EXPECT_EQ(pickle[items[0]].kind, PickleKind::none);
  EXPECT_EQ(pickle[items[1]].integer, 1);
  EXPECT_EQ(pickle[items[2]].kind, PickleKind::boolean);
  EXPECT_EQ(pickle[items[3]].number, 0.5);
  EXPECT_EQ(pickle[items[4]].text, "\xc3\xa9");
  EXPECT_EQ(pickle[items[5]].kind, PickleKind::bytes);
}

TEST(Pickle, KeepsTheLastValueOfAKey) {
  const auto pickle = parse(program("}(U\1aK\1U\1aK\2X\1\0\0\0bK\3u."));
  EXPECT_EQ(pickle[pickle.at(pickle.root(), "a")].integer, 2);
  EXPECT_EQ(pickle[pickle.at(pickle.root(), "b")].integer, 3);
  EXPECT_FALSE(pickle.find(pickle.root(), "c"));
  EXPECT_THROW(pickle.at(pickle.root(), "c"), DataError);
}

TEST(Pickle, EncodesLatin1AsPythonThreeWritesBytes) {
  const auto pickle = parse(program("c_codecs\nencode\n(X\3\0\0\0a\xc3\xbfX\6\0\0\0latin1tR."));
  EXPECT_EQ(pickle[pickle.root()].kind, PickleKind::bytes);
  EXPECT_EQ(pickle[pickle.root()].text, "a\xff");
}

TEST(Pickle, ReadsAnOrderedDictAsADict) {
  const auto pickle = parse(program("ccollections\nOrderedDict\n)R(U\1aK\1u}U\1mK\2sb."));
  EXPECT_EQ(pickle[pickle.at(pickle.root(), "a")].integer, 1);
}

TEST(Pickle, NeverImportsOrCalls) {
  const auto pickle = parse("cos\nsystem\n(U\4boomtR.");
  const auto& call = pickle[pickle.root()];
  ASSERT_EQ(call.kind, PickleKind::call);
  EXPECT_EQ(pickle[call.items[0]].kind, PickleKind::global);
  EXPECT_EQ(pickle[call.items[0]].text, "os system");
  EXPECT_EQ(pickle[pickle[call.items[1]].items[0]].text, "boom");
}

TEST(Pickle, RefusesDamagedPrograms) {
  for (const std::string text : {"",
                                 ".",
                                 "0.",
                                 "a.",
                                 "s.",
                                 "t.",
                                 "R.",
                                 "b.",
                                 "h\1.",
                                 "q\1.",
                                 "K",
                                 "]K\1s.",
                                 "}(K\1u.",
                                 "(K\1",
                                 "\x80\x09N.",
                                 "X\xff\xff\xff\x7f"
                                 "ab.",
                                 "NNR.",
                                 "\x8a\x41.",
                                 "i.",
                                 "Ix\n.",
                                 "cos",
                                 "e.",
                                 "(a.",
                                 "]( a."})
    EXPECT_THROW(parse(text), DataError) << text;
}

TEST(Pickle, CapsItsObjects) {
  EXPECT_NE(message_of([] {
              parse(std::string(300'000, 'N') + ".");
            }).find("expected at most 76875 objects"),
            std::string::npos);
  EXPECT_THROW(parse("N" + std::string(300'000, '2') + "."), DataError);
  EXPECT_THROW(parse(std::string(300'000, '(') + "."), DataError);
}

TEST(Pickle, DeepNestingNeitherRecursesNorOverflows) {
  const auto pickle = parse(std::string(30'000, ']') + std::string(29'999, 'a') + ".");
  EXPECT_EQ(pickle[pickle.root()].items.size(), 1U);
}

TEST(Pickle, EncodingOneTextOftenCostsOneCopy) {
  std::string text = program("c_codecs\nencode\nq\1X\0\0\x10\0") + std::string(1 << 20, 'x') +
                     program("q\2X\6\0\0\0latin1q\3](");
  for (int i = 0; i < 2000; ++i) text += "h\1h\2h\3\x86R";
  const testing::PeakMemory memory;
  const auto pickle = parse(text + "e.");
  EXPECT_EQ(pickle[pickle.root()].items.size(), 2000U);
  EXPECT_LT(memory.grown(), std::size_t{16} << 20);
}

class CifarPython : public ::testing::TestWithParam<const char*> {};

TEST_P(CifarPython, EqualsTheBinaryVersion) {
  const auto binary = parse_cifar(fixture("cifar10_batch.bin"), "bin", Cifar::ten);
  const auto python = parse_cifar_python(fixture(GetParam()), GetParam(), Cifar::ten);
  EXPECT_EQ(python.labels, (std::vector<std::int64_t>{3, 9}));
  EXPECT_EQ(python.labels, binary.labels);
  EXPECT_EQ(python.pixels, binary.pixels);
  EXPECT_EQ(python.pixels[3072 + 300], std::byte((37 + 300 + 1) % 256));
}

TEST_P(CifarPython, DamageNeverDoesMoreThanThrow) {
  const auto file = fixture(GetParam());
  const Bytes head(file.begin(), file.begin() + 300);
  const Bytes tail(file.begin() + 300, file.end());
  testing::for_each_flip(head, [&](ByteSpan damaged) {
    Bytes whole(damaged.begin(), damaged.end());
    whole.insert(whole.end(), tail.begin(), tail.end());
    parse_cifar_python(whole, "f", Cifar::ten);
  });
}

TEST_P(CifarPython, TruncationAnywhereIsADataError) {
  testing::for_each_truncation(fixture(GetParam()),
                               [](ByteSpan cut) { parse_cifar_python(cut, "f", Cifar::ten); });
}

INSTANTIATE_TEST_SUITE_P(Protocols, CifarPython,
                         ::testing::Values("cifar10_batch_python2", "cifar10_batch_protocol2",
                                           "cifar10_batch_protocol4"));

TEST(Cifar, ReadsFineLabelsAndNames) {
  const auto batch = parse_cifar_python(fixture("cifar100_batch"), "f", Cifar::hundred);
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{99, 0}));
  EXPECT_EQ(parse_cifar_names(fixture("cifar10_meta"), "f", Cifar::ten).at(9), "truck");
  EXPECT_THROW(parse_cifar_names(fixture("cifar10_meta"), "f", Cifar::hundred), DataError);
  Bytes record(2 * 3074);
  record[0] = std::byte{19};
  record[1] = std::byte{99};
  record[3074 + 2] = std::byte{7};
  const auto binary = parse_cifar(record, "f", Cifar::hundred);
  EXPECT_EQ(binary.labels, (std::vector<std::int64_t>{99, 0}));
  EXPECT_EQ(binary.pixels[3072], std::byte{7});
}

TEST(Cifar, SaysWhatIsWrongAndWhere) {
  const auto of = [](std::size_t size, unsigned label) {
    Bytes bytes(size);
    if (size > 3073) bytes[3073] = std::byte(label);
    return message_of([&] { parse_cifar(bytes, "data_batch_1.bin", Cifar::ten); });
  };
  EXPECT_EQ(of(6146, 10), "data_batch_1.bin: offset 3073: expected a label below 10, got 10");
  EXPECT_EQ(of(6145, 0),
            "data_batch_1.bin: offset 3073: expected images of 3073 bytes each, got 3072 bytes");
  EXPECT_EQ(of(0, 0),
            "data_batch_1.bin: offset 0: expected images of 3073 bytes each, got 0 bytes");
  EXPECT_NE(message_of([] {
              parse_cifar_python(fixture("cifar10_batch_python2"), "f", Cifar::hundred);
            }).find("expected a key 'fine_labels'"),
            std::string::npos);
}

}  // namespace
}  // namespace namid::io
