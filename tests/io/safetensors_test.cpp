// SPDX-License-Identifier: Apache-2.0
#include "namid/io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

std::string file_of(std::string json, std::string_view data) {
  const std::uint64_t length = json.size();
  std::string head(8, '\0');
  std::memcpy(head.data(), &length, 8);
  return head + json + std::string(data);
}

std::string failure(const std::string& bytes) {
  try {
    parse_safetensors(bytes, "f");
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

std::string failure(const std::string& json, std::string_view data) {
  return failure(file_of(json, data));
}

std::string fixture(const std::string& name) {
  std::ifstream file(str(NAMID_SOURCE_DIR, "/tests/fixtures/", name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<SafeTensor> sample() {
  static const std::string floats(24, '\1'), byte("\7"), half("abcd");
  return {{"flag", DType::boolean, {}, byte},
          {"weight", DType::f32, {2, 3}, floats},
          {"empty", DType::i64, {0, 5}, ""},
          {"half", DType::bf16, {2}, half}};
}

TEST(Safetensors, RoundTripKeepsOrderShapesDataAndMetadata) {
  const SafeMetadata metadata{{"format", "pt"}, {"note", "\"quoted\"\n\xc3\xa4"}};
  const auto bytes = write_safetensors(sample(), metadata);
  const auto file = parse_safetensors(bytes, "f");
  EXPECT_EQ(file.metadata, metadata);
  ASSERT_EQ(file.tensors.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(file.tensors[i].name, sample()[i].name);
    EXPECT_EQ(file.tensors[i].dtype, sample()[i].dtype);
    EXPECT_EQ(file.tensors[i].shape, sample()[i].shape);
    EXPECT_EQ(file.tensors[i].data, sample()[i].data);
    const auto offset = static_cast<std::size_t>(file.tensors[i].data.data() - bytes.data());
    EXPECT_EQ(offset % dtype_size(file.tensors[i].dtype), 0u) << "aligned in the file";
  }
  EXPECT_EQ(parse_safetensors(write_safetensors({}, {}), "f").tensors.size(), 0u);
}

TEST(Safetensors, ReadsAFileOfThePythonPackage) {  // tests/parity/write_safetensors_fixture.py
  const auto bytes = fixture("python.safetensors");
  const auto file = parse_safetensors(bytes, "python.safetensors");
  EXPECT_EQ(file.metadata, (SafeMetadata{{"who", "safetensors"}}));
  std::map<std::string, SafeTensor> by_name;
  for (const auto& tensor : file.tensors) by_name[tensor.name] = tensor;
  ASSERT_EQ(by_name.size(), 10u);
  for (int i = 0; i < 10; ++i) {
    const auto name = dtype_name(static_cast<DType>(i));
    const auto& tensor = by_name.at(std::string(name));
    EXPECT_EQ(tensor.dtype, static_cast<DType>(i));
    EXPECT_EQ(tensor.shape, (std::vector<std::int64_t>{2, 3}));
  }
  const float expected[] = {0, 1, 0, 1, 0, 1};
  EXPECT_EQ(std::memcmp(by_name["F32"].data.data(), expected, 24), 0);
  EXPECT_EQ(by_name["BOOL"].data, std::string_view("\0\1\0\1\0\1", 6));
}

TEST(Safetensors, RefusesEveryTruncationAndEveryExtraByte) {
  const auto bytes = write_safetensors(sample(), {{"a", "b"}});
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_NE(failure(bytes.substr(0, length)), "no error") << length;
  EXPECT_NE(failure(bytes + "x").find("1 bytes after the last tensor"), std::string::npos);
}

TEST(Safetensors, RefusesHolesOverlapsAndOffsetsOutside) {
  const std::string a = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)";
  const auto second = [&](std::string_view offsets) {
    return a + str(R"("b":{"dtype":"U8","shape":[2],"data_offsets":[)", offsets, "]}}");
  };
  EXPECT_EQ(failure(second("2,4"), "abcd"), "no error");
  EXPECT_NE(failure(second("1,3"), "abc").find("tensor 'b' overlaps"), std::string::npos);
  EXPECT_NE(failure(second("0,2"), "ab").find("overlaps"), std::string::npos);
  EXPECT_NE(failure(second("3,5"), "abcde").find("1 bytes before tensor 'b'"), std::string::npos);
  EXPECT_NE(failure(second("2,5"), "abcde").find("ask for 2 bytes, the offsets give 3"),
            std::string::npos);
  EXPECT_NE(failure(second("4,2"), "abcd").find("offsets 4 to 2"), std::string::npos);
  EXPECT_NE(failure(second("2,4"), "abc").find("do not lie in the 3 bytes"), std::string::npos);
  EXPECT_NE(failure(second("18446744073709551614,18446744073709551615"), "abcd").find("do not lie"),
            std::string::npos);
}

TEST(Safetensors, RefusesHugeShapesWithoutAllocating) {
  const auto shaped = [](std::string_view shape) {
    return failure(str(R"({"a":{"dtype":"F64","shape":)", shape, R"(,"data_offsets":[0,0]}})"), "");
  };
  EXPECT_EQ(shaped("[0]"), "no error");
  EXPECT_NE(shaped("[4294967296,4294967296,4294967296]").find("2^63"), std::string::npos);
  EXPECT_NE(shaped("[4611686018427387904,4611686018427387904,0]").find("2^63"), std::string::npos);
  EXPECT_NE(shaped("[18446744073709551615]").find("extent of 18446744073709551615"),
            std::string::npos);
  EXPECT_NE(shaped("[9223372036854775808,0]").find("extent"), std::string::npos);
  std::string ones = "[1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  EXPECT_NE(shaped(ones + "]").find("more than 64 dimensions"), std::string::npos);
}

TEST(Safetensors, RefusesBadHeaderLengths) {
  std::string bytes = write_safetensors(sample(), {});
  bytes[3] = '\x7f';
  EXPECT_NE(failure(bytes).find("this is no safetensors file"), std::string::npos);
  bytes[3] = '\0', bytes[2] = '\1';
  EXPECT_NE(failure(bytes).find("the file is cut off"), std::string::npos);
  EXPECT_NE(failure("abc").find("file holds 3"), std::string::npos);
  EXPECT_NE(failure(std::string(8, '\0')).find("does not start with '{'"), std::string::npos);
}

class SafetensorsHeaderText : public ::testing::TestWithParam<std::pair<const char*, const char*>> {
};

TEST_P(SafetensorsHeaderText, IsRefusedWithItsCause) {
  EXPECT_NE(failure(GetParam().first, "").find(GetParam().second), std::string::npos)
      << GetParam().first << " gives " << failure(GetParam().first, "");
}

INSTANTIATE_TEST_SUITE_P(
    Bad, SafetensorsHeaderText,
    ::testing::Values(
        std::pair(" {}", "does not start with '{'"),
        std::pair("{", "offset 9: the header is not valid"), std::pair("{}x", "not valid JSON"),
        std::pair("{\"a\":NaN}", "not valid JSON"), std::pair("{\"\xff\":{}}", "not valid JSON"),
        std::pair("[]", "does not start"), std::pair("{\"a\":1}", "a number where tensor 'a'"),
        std::pair("{\"a\":[]}", "a list where tensor 'a'"),
        std::pair("{\"__metadata__\":null}", "null where"),
        std::pair("{\"__metadata__\":{\"a\":1}}", "__metadata__ has a number"),
        std::pair("{\"__metadata__\":{\"a\":{}}}", "__metadata__ has an object"),
        std::pair("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "has a key twice"),
        std::pair("{\"__metadata__\":{},\"__metadata__\":{}}", "is there twice"),
        std::pair("{\"a\":{}}", "tensor 'a' lacks dtype"),
        std::pair("{\"a\":{\"x\":1}}", "unknown key 'x'"),
        std::pair("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", "has 'dtype' twice"),
        std::pair("{\"a\":{\"dtype\":{}}}", "an object under 'dtype'"),
        std::pair("{\"a\":{\"shape\":\"x\"}}", "a text under 'shape'"),
        std::pair("{\"a\":{\"shape\":[-1]}}", "a negative number under 'shape'"),
        std::pair("{\"a\":{\"shape\":[1.5]}}", "a fraction under 'shape'"),
        std::pair("{\"a\":{\"shape\":[true]}}", "a truth value under 'shape'"),
        std::pair("{\"a\":{\"shape\":[[1]]}}", "a list under 'shape'"),
        std::pair("{\"a\":{\"data_offsets\":[0]}}", "needs two data_offsets"),
        std::pair("{\"a\":{\"data_offsets\":[0,0,0]}}", "more than two data_offsets"),
        std::pair("{\"a\":{\"dtype\":\"F8\",\"shape\":[],\"data_offsets\":[0,0]}}",
                  "element type 'F8' is not known"),
        std::pair("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
                  "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
                  "tensor 'a' is there twice")));

TEST(Safetensors, DeepNestingIsRefusedAtOnce) {
  EXPECT_NE(failure("{\"a\":{\"shape\":" + std::string(1'000'000, '['), "").find("a list under"),
            std::string::npos);
}

TEST(Safetensors, WriterRefusesWhatItCouldNotReadBack) {
  const std::string four(4, 'x');
  EXPECT_THROW(write_safetensors({{"a", DType::u8, {4}, four}, {"a", DType::u8, {4}, four}}, {}),
               DataError);
  EXPECT_THROW(write_safetensors({{"__metadata__", DType::u8, {4}, four}}, {}), DataError);
  EXPECT_THROW(write_safetensors({{"a", DType::f32, {4}, four}}, {}), DataError);
}

}  // namespace
}  // namespace namid::io
