// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npy.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "io/corruption.h"
#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

using testing::message_of;

/// A version-1 file with this header text and data, as numpy would pad it.
Bytes npy_file(const std::string& header, const std::string& data, int version = 1) {
  std::string text = str("\x93NUMPY", static_cast<char>(version), '\0');
  const auto padded =
      header + std::string(header.size() < 117 ? 117 - header.size() : 0, ' ') + "\n";
  const auto length = padded.size();
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) text += static_cast<char>(length >> (8 * i));
  text += padded + data;
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

std::string header_of(const std::string& descr, const std::string& shape, bool fortran = false) {
  return str("{'descr': '", descr, "', 'fortran_order': ", fortran ? "True" : "False",
             ", 'shape': ", shape, ", }");
}

TEST(Npy, ReadsWhatNumpyWrites) {
  // numpy.save(f, numpy.array([[1, 2, 3], [-1, 0, 7]], dtype='<i2')), byte for byte.
  std::string text = std::string("\x93NUMPY\x01\x00v\x00", 10) +
                     "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }";
  text += std::string(127 - text.size(), ' ') + "\n";
  text += std::string("\1\0\2\0\3\0\xff\xff\0\0\7\0", 12);
  const auto array = parse_npy(as_bytes(text), "f");
  EXPECT_EQ(array.type, NpyType::i2);
  EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(array.integers("f"), (std::vector<std::int64_t>{1, 2, 3, -1, 0, 7}));
  EXPECT_EQ(as_text(encode_npy(array)), text);
}

template <class T>
void round_trip(std::vector<T> values) {
  const auto array = npy_array<T>({static_cast<std::int64_t>(values.size())}, values);
  const auto parsed = parse_npy(encode_npy(array), "f");
  const auto got = parsed.template values<T>();
  EXPECT_EQ(std::vector<T>(got.begin(), got.end()), values);
}

TEST(Npy, RoundTripsEveryType) {
  round_trip<std::uint8_t>({0, 255});
  round_trip<std::int8_t>({-128, 127});
  round_trip<std::uint16_t>({0, 65535});
  round_trip<std::int16_t>({-32768, 5});
  round_trip<std::uint32_t>({0, 4294967295U});
  round_trip<std::int32_t>({-5, 5});
  round_trip<std::uint64_t>({0, ~std::uint64_t{0}});
  round_trip<std::int64_t>({std::numeric_limits<std::int64_t>::min(), 5});
  round_trip<float>({0.1F, -1e30F});
  round_trip<double>({0.1, -1e300});
}

TEST(Npy, RoundTripsScalarsAndEmptyArrays) {
  const std::array<float, 1> one{2.5F};
  const auto scalar = parse_npy(encode_npy(npy_array<float>({}, one)), "f");
  EXPECT_TRUE(scalar.shape.empty());
  EXPECT_EQ(scalar.count(), 1);
  EXPECT_EQ(scalar.values<float>()[0], 2.5F);
  const auto none = parse_npy(encode_npy(npy_array<float>({0, 3}, {})), "f");
  EXPECT_EQ(none.count(), 0);
}

TEST(Npy, SwapsBigEndianData) {
  const auto array = parse_npy(
      npy_file(header_of(">i4", "(2,)"), std::string("\0\0\1\2\xff\xff\xff\xfe", 8)), "f");
  EXPECT_EQ(array.integers("f"), (std::vector<std::int64_t>{258, -2}));
}

TEST(Npy, TurnsFortranOrderIntoCOrder) {
  // a[i, j, k] = 100 i + 10 j + k, shape (2, 3, 2), first index fastest.
  std::string data;
  for (char k = 0; k < 2; ++k)
    for (char j = 0; j < 3; ++j)
      for (char i = 0; i < 2; ++i) data += static_cast<char>(100 * i + 10 * j + k);
  const auto array = parse_npy(npy_file(header_of("|u1", "(2, 3, 2)", true), data), "f");
  EXPECT_EQ(array.integers("f"),
            (std::vector<std::int64_t>{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121}));
}

TEST(Npy, ReadsVersionsOneToThree) {
  for (const int version : {1, 2, 3})
    EXPECT_EQ(parse_npy(npy_file(header_of("|u1", "(3,)"), "abc", version), "f").integers("f")[2],
              'c');
  EXPECT_EQ(message_of([] { parse_npy(npy_file(header_of("|u1", "(3,)"), "abc", 4), "f"); }),
            "f: offset 6: expected NPY version 1 to 3, got 4");
}

TEST(Npy, NormalisesBooleans) {
  const auto array = parse_npy(npy_file(header_of("|b1", "(3,)"), std::string("\0\1\7", 3)), "f");
  const auto values = array.values<bool>();
  EXPECT_EQ(std::vector<bool>(values.begin(), values.end()),
            (std::vector<bool>{false, true, true}));
  EXPECT_EQ(array.integers("f"), (std::vector<std::int64_t>{0, 1, 1}));
}

TEST(Npy, NeverUnpicklesObjects) {
  const auto message =
      message_of([] { parse_npy(npy_file(header_of("|O", "(3,)"), "abc"), "x.npy"); });
  EXPECT_NE(message.find("x.npy: offset 19: the array holds Python objects"), std::string::npos)
      << message;
}

TEST(Npy, SaysWhatIsWrongAndWhere) {
  const auto of = [](const std::string& header, const std::string& data) {
    return message_of([&] { parse_npy(npy_file(header, data), "f"); });
  };
  EXPECT_EQ(of(header_of("|u1", "(4,)"), "abc"), "f: offset 128: expected 4 bytes of data, got 3");
  EXPECT_EQ(of(header_of("|u1", "(2,)"), "abc"), "f: offset 128: expected 2 bytes of data, got 3");
  EXPECT_NE(of(header_of("<c8", "(2,)"), "abc").find("got '<c8'"), std::string::npos);
  EXPECT_NE(of(header_of("|u1", "(-2,)"), "abc").find("expected a size"), std::string::npos);
  EXPECT_NE(of("{'descr': '|u1', 'shape': (3,)}", "abc").find("'fortran_order'"),
            std::string::npos);
  EXPECT_NE(of("{'descr': [('a', '<i4')], }", "abc").find("structured"), std::string::npos);
  EXPECT_NE(of(header_of("|u1", "(3,)") + "x", "abc").find("the end of the header"),
            std::string::npos);
  EXPECT_EQ(message_of([] { parse_npy(as_bytes("PK\3\4 no array"), "f"); }),
            "f: offset 0: expected an NPY file, which starts with \\x93NUMPY");
}

TEST(Npy, AHugeHeaderIsRefusedBeforeAllocating) {
  const testing::PeakMemory memory;
  const auto of = [](const std::string& shape) {
    return message_of([&] { parse_npy(npy_file(header_of("<f8", shape), "abc"), "f"); });
  };
  EXPECT_EQ(of("(1000000, 1000, 1000)"),
            "f: offset 10: expected at most 4294967296 bytes, got 8000000000000");
  EXPECT_EQ(of("(9223372036854775807, 9223372036854775807)"),
            "f: offset 10: the shape is too large");
  EXPECT_NE(of("(99999999999999999999,)").find("expected a size"), std::string::npos);
  EXPECT_EQ(of("(500000000,)"), "f: offset 128: expected 4000000000 bytes of data, got 3");
  EXPECT_NE(of("(" + std::string(66, '1') + ")").find("expected a size"), std::string::npos);
  std::string text = std::string("\x93NUMPY\x02\x00\xff\xff\xff\x7f", 12);
  EXPECT_THROW(parse_npy(as_bytes(text), "f"), DataError);
  EXPECT_LT(memory.grown(), std::size_t{16} << 20);
}

TEST(Npy, TruncationAnywhereIsADataError) {
  const std::array<std::int32_t, 6> values{1, 2, 3, 4, 5, 6};
  const auto file = encode_npy(npy_array<std::int32_t>({2, 3}, values));
  testing::for_each_truncation(file, [](ByteSpan cut) { parse_npy(cut, "f"); });
}

TEST(Npy, DamageNeverDoesMoreThanThrow) {
  const std::array<std::int32_t, 6> values{1, 2, 3, 4, 5, 6};
  const auto file = encode_npy(npy_array<std::int32_t>({2, 3}, values));
  testing::for_each_flip(file, [](ByteSpan bytes) { parse_npy(bytes, "f"); });
}

TEST(Npy, GivesIntegersOnlyForIntegers) {
  const auto of = [](std::vector<double> v) { return npy_array<double>({1}, v).integers("y.npy"); };
  EXPECT_EQ(of({-3.0}), std::vector<std::int64_t>{-3});
  EXPECT_EQ(message_of([&] { of({0.5}); }), "y.npy: element 0: expected an integer, got 0.5");
  EXPECT_THROW(of({std::nan("")}), DataError);
  EXPECT_THROW(of({std::numeric_limits<double>::infinity()}), DataError);
  EXPECT_THROW(of({0x1p63}), DataError);
  const std::vector<std::uint64_t> large{std::uint64_t{1} << 63};
  EXPECT_THROW(npy_array<std::uint64_t>({1}, large).integers("f"), DataError);
  EXPECT_THROW(npy_array<std::uint64_t>({1}, large).values<float>(), DataError);
}

}  // namespace
}  // namespace namid::io
