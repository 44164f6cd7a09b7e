// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "io/corruption.h"
#include "namid/core/error.h"
#include "namid/io/gzip.h"
#include "namid/io/idx.h"

namespace namid::io {
namespace {

using testing::message_of;

Bytes bytes_of(const std::string& text) {
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

std::string text_of(const Bytes& bytes) {
  return std::string(as_text(bytes));
}

IdxArray small_array() {
  return {{2, 3, 2}, bytes_of("abcdefghijkl")};
}

TEST(Gzip, RoundTrips) {
  const auto packed = gzip(bytes_of("hello, hello, hello"));
  EXPECT_TRUE(is_gzip(packed));
  EXPECT_EQ(text_of(gunzip(packed, "f", 19)), "hello, hello, hello");
  EXPECT_EQ(text_of(gunzip_head(packed, "f", 5)), "hello");
  EXPECT_EQ(text_of(gunzip_head(packed, "f", 500)), "hello, hello, hello");
  EXPECT_EQ(gunzip(gzip({}), "f", 0).size(), 0U);
}

TEST(Gzip, ReadsSeveralMembersAndPadding) {
  auto packed = gzip(bytes_of("one "));
  const auto second = gzip(bytes_of("two"));
  packed.insert(packed.end(), second.begin(), second.end());
  packed.resize(packed.size() + 3);
  EXPECT_EQ(text_of(gunzip(packed, "f", 7)), "one two");
  packed.push_back(std::byte{1});
  EXPECT_THROW(gunzip(packed, "f", 7), DataError);
}

TEST(Gzip, SaysHowMuchItGot) {
  const auto packed = gzip(bytes_of("12345"));
  EXPECT_EQ(message_of([&] { gunzip(packed, "a.gz", 9); }),
            "a.gz: offset 25: expected 9 inflated bytes, got 5");
  EXPECT_TRUE(message_of([&] {
                gunzip(packed, "a.gz", 3);
              }).ends_with(": expected 3 inflated bytes, got more"));
}

TEST(Gzip, TruncationAnywhereIsADataError) {
  const auto packed = gzip(bytes_of("some bytes to be cut short"));
  testing::for_each_truncation(packed, [](ByteSpan cut) { gunzip(cut, "f", 26); });
}

TEST(Gzip, FlippedBitsNeverGiveOtherBytes) {
  const std::string text = "some bytes to be damaged, some more";
  testing::for_each_flip(gzip(bytes_of(text)), [&](ByteSpan damaged) {
    EXPECT_EQ(text_of(gunzip(damaged, "f", text.size())), text);
  });
}

TEST(Gzip, ABombCostsNoMoreThanItsPromise) {
  const auto bomb = gzip(Bytes(std::size_t{64} << 20));
  ASSERT_LT(bomb.size(), std::size_t{100} << 10);
  const testing::PeakMemory memory;
  EXPECT_THROW(gunzip(bomb, "bomb.gz", 1000), DataError);
  EXPECT_THROW(gunzip(bomb, "bomb.gz", std::uint64_t{3} << 30), DataError);
  EXPECT_LT(memory.grown(), std::size_t{16} << 20);
}

TEST(Idx, ReadsPlainAndGzippedFiles) {
  const auto file = encode_idx(small_array());
  for (const auto& bytes : {file, gzip(file)}) {
    const auto array = parse_idx(bytes, "f");
    EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 3, 2}));
    EXPECT_EQ(text_of(array.data), "abcdefghijkl");
  }
}

TEST(Idx, TruncationAnywhereIsADataError) {
  const auto file = encode_idx(small_array());
  testing::for_each_truncation(file, [](ByteSpan cut) { parse_idx(cut, "f"); });
  testing::for_each_truncation(gzip(file), [](ByteSpan cut) { parse_idx(cut, "f"); });
}

TEST(Idx, DamageNeverDoesMoreThanThrow) {
  testing::for_each_flip(encode_idx(small_array()), [](ByteSpan bytes) { parse_idx(bytes, "f"); });
  testing::for_each_flip(gzip(encode_idx(small_array())),
                         [](ByteSpan bytes) { parse_idx(bytes, "f"); });
}

TEST(Idx, SaysWhatIsWrongAndWhere) {
  auto file = encode_idx(small_array());
  file.push_back(std::byte{0});
  EXPECT_EQ(message_of([&] { parse_idx(file, "train.idx"); }),
            "train.idx: offset 16: expected 12 bytes of data, got 13");
  EXPECT_TRUE(message_of([&] {
                parse_idx(gzip(file), "train.idx.gz");
              }).ends_with(": expected 28 inflated bytes, got more"));
  file[2] = std::byte{0x0d};
  EXPECT_EQ(message_of([&] { parse_idx(file, "f"); }),
            "f: offset 2: expected element type 8 (unsigned byte), got 13");
  file[3] = std::byte{9};
  file[2] = std::byte{8};
  EXPECT_EQ(message_of([&] { parse_idx(file, "f"); }),
            "f: offset 3: expected 1 to 4 dimensions, got 9");
  EXPECT_EQ(message_of([&] { parse_idx(bytes_of("PNG image"), "f"); }),
            "f: offset 0: expected an IDX file, whose first two bytes are 0");
}

TEST(Idx, AHugeHeaderIsRefusedBeforeAllocating) {
  const IdxArray huge{{0x7fffffff, 0x7fffffff, 0x7fffffff, 4}, {}};
  const IdxArray large{{1000000, 28, 28}, {}};
  const testing::PeakMemory memory;
  EXPECT_THROW(parse_idx(encode_idx(huge), "f"), DataError);
  EXPECT_THROW(parse_idx(encode_idx(large), "f"), DataError);
  EXPECT_THROW(parse_idx(gzip(encode_idx(large)), "f"), DataError);
  EXPECT_EQ(message_of([&] { parse_idx(encode_idx(large), "f", 1000); }),
            "f: offset 4: expected at most 1000 bytes, got 784000000");
  EXPECT_LT(memory.grown(), std::size_t{16} << 20);
}

}  // namespace
}  // namespace namid::io
