// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npy_text.h"

#include <gtest/gtest.h>

#include <fstream>

#include "io/corruption.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/npz.h"
#include "support/temp_folder.h"

namespace namid::io {
namespace {

using testing::message_of;

/// A version-1 file with this header and data, as numpy pads it.
std::string npy_file(const std::string& descr, const std::string& shape, const std::string& data) {
  std::string text = std::string("\x93NUMPY\x01\x00v\x00", 10) + "{'descr': '" + descr +
                     "', 'fortran_order': False, 'shape': " + shape + ", }";
  return text + std::string(127 - text.size(), ' ') + "\n" + data;
}

/// UCS-4, little-endian.
std::string wide(std::u32string_view text) {
  std::string out;
  for (const auto c : text)
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(c >> (8 * i)));
  return out;
}

NpyText parse(const std::string& file) {
  return parse_npy_text(as_bytes(file), "f");
}

TEST(NpyText, WritesWhatNumpyWrites) {
  // numpy.save(f, numpy.array("linf")), byte for byte.
  EXPECT_EQ(as_text(encode_npy_text(npy_text("linf"))), npy_file("<U4", "()", wide(U"linf")));
  const NpyText two{.shape = {2}, .values = {"a", "bcd"}};
  EXPECT_EQ(as_text(encode_npy_text(two)),
            npy_file("<U3", "(2,)", wide(std::u32string_view(U"a\0\0bcd", 6))));
}

TEST(NpyText, RoundTripsEveryLengthOfUtf8) {
  for (const std::string text : {"", "pgd", "8/255 ≤ ε", "Ωé𝛼", "{\"steps\": 3}"}) {
    const auto parsed = parse_npy_text(encode_npy_text(npy_text(text)), "f");
    EXPECT_EQ(parsed.values, std::vector<std::string>{text});
    EXPECT_TRUE(parsed.shape.empty());
  }
}

TEST(NpyText, ReadsBytesAndBigEndianText) {
  EXPECT_EQ(parse(npy_file("|S3", "(2,)", std::string("l2\0abc", 6))).values,
            (std::vector<std::string>{"l2", "abc"}));
  EXPECT_EQ(parse(npy_file(">U2", "()", std::string("\0\0\0l\0\0\0002", 8))).values[0], "l2");
}

TEST(NpyText, RefusesWhatIsNoText) {
  EXPECT_EQ(message_of([] { parse(npy_file("<f4", "()", "abcd")); }),
            "f: offset 19: expected a dtype of text, '<U8' or '|S8', got '<f4'");
  EXPECT_EQ(message_of([] { parse(npy_file("<U2", "()", "abcd")); }),
            "f: offset 128: expected 8 bytes of data, got 4");
  EXPECT_NE(message_of([] { parse(npy_file("<U1", "()", wide(U"\x110000"))); }).find("code point"),
            std::string::npos);
  EXPECT_THROW(parse(npy_file("<U", "()", "")), DataError);
  EXPECT_THROW(parse(npy_file("<U99999999999", "()", "")), DataError);
  EXPECT_THROW(parse(npy_file("<U0", "(9999999,)", "")), DataError);
  EXPECT_THROW(encode_npy_text(npy_text("\xc3")), DataError);
  EXPECT_THROW(encode_npy_text(npy_text("\xc0\x80")), DataError);
  EXPECT_THROW(encode_npy_text(npy_text("\xed\xa0\x80")), DataError);
}

TEST(NpyText, DamagedFilesAreRefusedOrReadNeverWorse) {
  const auto file = encode_npy_text({.shape = {2}, .values = {"linf", "l2"}});
  testing::for_each_truncation(file, [](ByteSpan bytes) { parse_npy_text(bytes, "f"); });
  testing::for_each_flip(file, [](ByteSpan bytes) { parse_npy_text(bytes, "f"); });
}

TEST(NpzWriting, EqualArraysGiveEqualBytesAndReadBack) {
  const testing::TempFolder folder;
  const std::vector<float> x{0.5F, -0.25F};
  const std::vector<std::int64_t> index{1, 1LL << 40};
  const bool success[] = {true, false};
  const double epsilon[] = {8.0 / 255};
  const NpzMembers members{{"x_adv", npy_array<float>({2, 1}, x)},
                           {"index", npy_array<std::int64_t>({2}, index)},
                           {"success", npy_array<bool>({2}, success)},
                           {"norm", npy_text("linf")},
                           {"epsilon", npy_array<double>({}, epsilon)}};
  write_npz(folder / "a.npz", members);
  const auto bytes = read_file(folder / "a.npz");
  EXPECT_EQ(bytes, encode_npz(members));
  const NpzFile file(bytes, "a.npz");
  EXPECT_EQ(file.read("x_adv").values<float>()[1], -0.25F);
  EXPECT_EQ(file.read("index").integers("index"), index);
  EXPECT_EQ(file.read("success").integers("success"), (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(file.read_text("norm").values[0], "linf");
  EXPECT_EQ(file.read("epsilon").values<double>()[0], epsilon[0]);
  EXPECT_THROW(file.read("norm"), DataError);
  EXPECT_THROW(file.read_text("epsilon"), DataError);
  EXPECT_EQ(message_of([&] { file.read_text("attack"); }),
            "a.npz: expected an array 'attack'; there are: x_adv, index, success, norm, epsilon");
}

TEST(NpzWriting, AFileThatCannotBeWrittenIsAResourceErrorAndLeavesTheOldOne) {
  const testing::TempFolder folder;
  write_npz(folder / "a.npz", {{"norm", npy_text("l2")}});
  const auto before = read_file(folder / "a.npz");
  EXPECT_THROW(write_npz(folder / "nowhere" / "a.npz", {}), ResourceError);
  EXPECT_EQ(read_file(folder / "a.npz"), before);
}

}  // namespace
}  // namespace namid::io
