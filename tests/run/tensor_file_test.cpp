// SPDX-License-Identifier: Apache-2.0
#include "namid/run/tensor_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "namid/core/error.h"
#include "namid/run/checkpoint.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace namid::run {
namespace {

using testing::bytes_of;
using testing::TempFolder;

void overwrite(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string failure(const std::filesystem::path& path) {
  try {
    read_tensor_file(path);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TensorMap sample() {
  return {{"weight", at::arange(6, at::kFloat).reshape({2, 3})},
          {"count", at::scalar_tensor(7, at::kLong)},
          {"mask", at::ones({3}, at::kBool)}};
}

bool equal(const TensorMap& a, const TensorMap& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].first != b[i].first || a[i].second.scalar_type() != b[i].second.scalar_type() ||
        !a[i].second.equal(b[i].second))
      return false;
  return true;
}

TEST(TensorFile, RoundTripOfEveryType) {
  const TempFolder folder;
  TensorMap tensors;
  for (const auto type : {at::kBool, at::kByte, at::kChar, at::kShort, at::kInt, at::kLong,
                          at::kHalf, at::kBFloat16, at::kFloat, at::kDouble})
    tensors.emplace_back(c10::toString(type), at::arange(5).to(type));
  tensors.emplace_back("transposed", at::arange(6, at::kFloat).reshape({2, 3}).t());
  tensors.emplace_back("empty", at::empty({0, 4}));
  tensors.emplace_back("learned", at::ones({2}).requires_grad_());
  write_tensor_file(folder / "a", tensors, {{"key", "value"}});
  const auto file = read_tensor_file(folder / "a");
  EXPECT_TRUE(equal(file.tensors, tensors));
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"key", "value"}}));
  EXPECT_EQ(find_tensor(file.tensors, "transposed").sizes(), (std::vector<int64_t>{3, 2}));
  EXPECT_FALSE(find_tensor(file.tensors, "nobody").defined());
}

TEST(TensorFile, AFlippedBitNeverChangesATensorUnseen) {
  const TempFolder folder;
  const auto path = folder / "a";
  write_tensor_file(path, sample(), {{"state", "41"}});
  const auto bytes = bytes_of(path);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    overwrite(path, damaged);
    try {
      const auto file = read_tensor_file(path);
      EXPECT_TRUE(equal(file.tensors, sample())) << i;
      EXPECT_EQ(file.metadata.at("state"), "41") << i;
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GE(refused, bytes.size() - 12) << "only the name of the checksums' key may change unseen";
  auto damaged = bytes;
  damaged.back() = 0;
  overwrite(path, damaged);
  EXPECT_NE(failure(path).find("tensor 'mask': checksum differs"), std::string::npos);
}

TEST(TensorFile, EveryTruncationIsRefused) {
  const TempFolder folder;
  const auto path = folder / "a";
  write_tensor_file(path, sample());
  const auto bytes = bytes_of(path);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    overwrite(path, bytes.substr(0, length));
    EXPECT_NE(failure(path), "no error") << length;
  }
}

TEST(TensorFile, ReadsFilesWithoutChecksums) {
  const std::string path = std::string(NAMID_SOURCE_DIR) + "/tests/fixtures/python.safetensors";
  const auto file = read_tensor_file(path);
  const auto expected = at::tensor({0, 1, 0, 1, 0, 1}).reshape({2, 3});
  ASSERT_EQ(file.tensors.size(), 10u);
  for (const auto& [name, tensor] : file.tensors)
    EXPECT_TRUE(tensor.to(at::kInt).equal(expected.to(at::kInt))) << name;
}

TEST(TensorFile, KeepsUnsignedEightBitFloatAndComplexTensors) {
  const TempFolder folder;
  TensorMap tensors;
  for (const auto type : {at::kUInt16, at::kUInt32, at::kUInt64, at::kFloat8_e4m3fn,
                          at::kFloat8_e5m2, at::kComplexFloat})
    tensors.emplace_back(c10::toString(type), at::arange(1, 4).to(type));
  write_tensor_file(folder / "a", tensors);
  const auto read = read_tensor_file(folder / "a").tensors;
  ASSERT_EQ(read.size(), tensors.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].second.scalar_type(), tensors[i].second.scalar_type());
    EXPECT_TRUE(at::equal(read[i].second.view(at::kByte), tensors[i].second.view(at::kByte)))
        << tensors[i].first;
  }
}

TEST(TensorFile, RefusesWhatItCannotStoreOrOpen) {
  const TempFolder folder;
  EXPECT_THROW(write_tensor_file(folder / "a", {{"c", at::zeros({2}, at::kComplexDouble)}}),
               DataError);
  EXPECT_THROW(write_tensor_file(folder / "a", {{"u", at::Tensor()}}), DataError);
  EXPECT_THROW(write_tensor_file(folder / "a", {{"x", at::ones(1)}, {"x", at::ones(1)}}),
               DataError);
  EXPECT_THROW(write_tensor_file(folder / "no" / "a", sample()), ResourceError);
  EXPECT_NE(failure(folder / "missing").find("No such file"), std::string::npos);
  EXPECT_NE(failure(folder.path()).find("file holds 0"), std::string::npos);
}

TEST(Checkpoint, RoundTripOfTensorsAndState) {
  const TempFolder folder;
  const nlohmann::json state = {{"step", 12}, {"loss", 0.1}, {"name", "a\"b"}, {"list", {1, 2.5}}};
  save_checkpoint(folder / "checkpoints", "last", {sample(), state});
  const auto loaded = load_checkpoint(folder / "checkpoints", "last");
  EXPECT_TRUE(equal(loaded.tensors, sample()));
  EXPECT_EQ(loaded.state, state);
}

TEST(Checkpoint, NewestPassesOverMissingAndDamagedFiles) {
  const TempFolder folder;
  const std::vector<std::string> names{"last", "previous", "never"};
  EXPECT_FALSE(load_newest_checkpoint(folder.path(), names).has_value());
  save_checkpoint(folder.path(), "previous", {sample(), {{"step", 3}}});
  save_checkpoint(folder.path(), "last", {sample(), {{"step", 9}}});
  EXPECT_EQ(load_newest_checkpoint(folder.path(), names)->state["step"], 9);
  auto bytes = bytes_of(folder / "last.safetensors");
  overwrite(folder / "last.safetensors", bytes.substr(0, bytes.size() - 1));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(load_newest_checkpoint(folder.path(), names)->state["step"], 3);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("warning: checkpoint passed over"),
            std::string::npos);
}

TEST(Checkpoint, SaysWhyAFileIsNone) {
  const TempFolder folder;
  EXPECT_THROW(load_checkpoint(folder.path(), "none"), DataError);
  write_tensor_file(folder / "plain.safetensors", sample());
  EXPECT_THROW(load_checkpoint(folder.path(), "plain"), DataError);
  write_tensor_file(folder / "bad.safetensors", sample(), {{"namid.state", "{"}});
  EXPECT_THROW(load_checkpoint(folder.path(), "bad"), DataError);
  std::ofstream(folder / "file") << "x";
  EXPECT_THROW(save_checkpoint(folder / "file" / "below", "a", {}), ResourceError);
}

}  // namespace
}  // namespace namid::run
