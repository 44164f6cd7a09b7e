// SPDX-License-Identifier: Apache-2.0
#include "namid/io/torch_write.h"

#include <gtest/gtest.h>

#include "io/corruption.h"
#include "namid/io/torch_file.h"
#include "namid/io/zip.h"

namespace namid::io {
namespace {

std::vector<SafeTensor> samples() {
  static const std::string data = "0123456789abcdef0123456789abcdef";
  std::vector<SafeTensor> tensors;
  for (int type = 0; type <= static_cast<int>(DType::c64); ++type) {
    const auto dtype = static_cast<DType>(type);
    tensors.push_back({std::string(dtype_name(dtype)),
                       dtype,
                       {2, 1, 2},
                       std::string_view(data).substr(0, 4 * dtype_size(dtype))});
  }
  tensors.push_back({"conv.weight \xc3\xa9", DType::f32, {}, std::string_view(data).substr(0, 4)});
  tensors.push_back({"empty", DType::f32, {0, 300}, ""});
  tensors.push_back({"long", DType::u8, {1, 32}, data});
  return tensors;
}

TEST(TorchWrite, WhatIsWrittenReadsBackTheSame) {
  const auto tensors = samples();
  const auto bytes = encode_torch_file(tensors);
  const TorchFile file(bytes, "f.pth");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& tensor = file.tensors()[i];
    EXPECT_EQ(tensor.name, tensors[i].name);
    EXPECT_EQ(tensor.dtype, tensors[i].dtype) << tensor.name;
    EXPECT_EQ(tensor.shape, tensors[i].shape) << tensor.name;
    EXPECT_EQ(as_text(file.contents(tensor)), tensors[i].data) << tensor.name;
    EXPECT_EQ(file.storages()[tensor.storage].checksum, Checksum::verified);
  }
  EXPECT_TRUE(file.foreign_globals().empty());
  EXPECT_EQ(encode_torch_file(tensors), bytes);
}

TEST(TorchWrite, StoragesAreAligned) {
  const auto bytes = encode_torch_file(samples());
  const ZipArchive archive(bytes, "f.pth");
  for (const auto& entry : archive.entries()) EXPECT_EQ(entry.data_offset % 64, 0u) << entry.name;
}

TEST(TorchWrite, NamesUsedTwiceAndUnfitDataAreRefused) {
  const std::string data(8, 'x');
  EXPECT_NE(testing::message_of([&] {
              encode_torch_file({{"w", DType::f32, {2}, data}, {"w", DType::f32, {2}, data}});
            }).find("'w' is used twice"),
            std::string::npos);
  EXPECT_NE(testing::message_of([&] {
              encode_torch_file({{"w", DType::f32, {3}, data}});
            }).find("expected 12 bytes of data, got 8"),
            std::string::npos);
}

}  // namespace
}  // namespace namid::io
