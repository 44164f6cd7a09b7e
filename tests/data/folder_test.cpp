// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/data/dataset.h"
#include "namid/io/cifar.h"
#include "namid/io/gzip.h"
#include "namid/io/idx.h"
#include "namid/io/npz.h"
#include "support/temp_folder.h"

namespace namid::data {
namespace {

namespace fs = std::filesystem;

const fs::path kFixtures = NAMID_SOURCE_DIR "/tests/fixtures";

void write(const fs::path& path, io::ByteSpan bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << io::as_text(bytes);
}

void write(const fs::path& path, const std::string& text) {
  write(path, io::as_bytes(text));
}

Dataset load(const fs::path& path, Part part = Part::train) {
  return load_dataset({.data = path.string()}, part);
}

std::string message_of(const fs::path& path, Part part = Part::train) {
  try {
    load(path, part);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

void expect_message(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

io::NpyArray bytes_array(std::vector<std::int64_t> shape) {
  io::NpyArray array{io::NpyType::u1, shape, {}};
  for (std::int64_t i = 0; i < array.count(); ++i) array.data.push_back(std::byte(i & 0xff));
  return array;
}

io::NpyArray labels_array(std::vector<std::int64_t> labels) {
  return io::npy_array<std::int64_t>({static_cast<std::int64_t>(labels.size())}, labels);
}

/// An IDX folder of `count` images of 2x3 pixels with these labels.
void write_idx(const fs::path& folder, std::uint8_t count, const std::string& labels) {
  const auto array = bytes_array({count, 2, 3});
  write(folder / "train-images-idx3-ubyte", io::encode_idx({array.shape, array.data}));
  const auto bytes = io::as_bytes(labels);
  write(folder / "train-labels-idx1-ubyte.gz",
        io::gzip(io::encode_idx(
            {{static_cast<std::int64_t>(labels.size())}, {bytes.begin(), bytes.end()}})));
}

TEST(IdxFolder, ReadsPlainAndGzippedFiles) {
  testing::TempFolder folder;
  write_idx(folder.path(), 3, std::string("\1\0\1", 3));
  const auto dataset = load(folder.path());
  EXPECT_EQ(dataset.shape(), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(dataset.num_classes, 2);
  EXPECT_EQ(dataset.class_names, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(dataset.images[2][0][1][2].item<int>(), 17);
  EXPECT_EQ(dataset.labels[0].item<int>(), 1);
  expect_message(message_of(folder.path(), Part::test),
                 "t10k-images-idx3-ubyte[.gz]: no such file");
}

TEST(IdxFolder, SaysWhichLabelsAreWrong) {
  testing::TempFolder folder;
  write_idx(folder.path(), 3, std::string("\0\1", 2));
  expect_message(message_of(folder.path()),
                 "train-labels-idx1-ubyte.gz: expected 3 labels, file holds 2");
  write_idx(folder.path(), 3, std::string("\0\1\377", 3));
  expect_message(message_of(folder.path()), "no image is labelled 2");
  write_idx(folder.path(), 0, "");
  expect_message(message_of(folder.path()), "expected at least one label");
  write(folder / "train-images-idx3-ubyte", io::encode_idx({{3}, io::Bytes(3)}));
  write_idx(folder.path() / "x", 3, std::string("\0\1\1", 3));
  fs::copy_file(folder / "x/train-labels-idx1-ubyte.gz", folder / "train-labels-idx1-ubyte.gz",
                fs::copy_options::overwrite_existing);
  expect_message(message_of(folder.path()), "offset 3: expected images (3 dimensions), got 1");
}

TEST(NpyFolder, ReadsChannelLastImages) {
  testing::TempFolder folder;
  write(folder / "train_images.npy", io::encode_npy(bytes_array({2, 4, 5, 3})));
  write(folder / "train_labels.npy", io::encode_npy(labels_array({1, 0})));
  write(folder / "test_images.npy", io::encode_npy(bytes_array({1, 4, 5, 3})));
  write(folder / "test_labels.npy", io::encode_npy(labels_array({0})));
  const auto dataset = load(folder.path());
  EXPECT_EQ(dataset.shape(), (std::vector<std::int64_t>{3, 4, 5}));
  EXPECT_EQ(dataset.images[1][2][3][4].item<int>(), 60 + (3 * 5 + 4) * 3 + 2);
  EXPECT_EQ(load(folder.path(), Part::test).num_classes, 2);
  write(folder / "test_labels.npy", io::encode_npy(labels_array({2})));
  expect_message(message_of(folder.path(), Part::test),
                 "test_labels.npy: sample 0: expected a label from 0 to 1, got 2");
}

TEST(NpyFolder, RefusesUnfitArrays) {
  testing::TempFolder folder;
  const auto with = [&](const io::NpyArray& images, const io::NpyArray& labels) {
    write(folder / "train_images.npy", io::encode_npy(images));
    write(folder / "train_labels.npy", io::encode_npy(labels));
    return message_of(folder.path());
  };
  const auto two = labels_array({0, 1});
  EXPECT_EQ(with(bytes_array({2, 4, 5}), two), "no DataError");
  expect_message(with(bytes_array({3, 4, 5}), two),
                 "train_labels.npy: expected 3 labels, file holds 2");
  expect_message(with(bytes_array({2, 4, 5, 2}), two), "got (2, 4, 5, 2)");
  const std::vector<float> pixels(2 * 4 * 5);
  expect_message(with(io::npy_array<float>({2, 4, 5}, pixels), two),
                 "train_images.npy: images: expected uint8, got float32");
  expect_message(with(bytes_array({2, 4, 5}), labels_array({-1, 0})), "sample 0: expected a label");
  expect_message(with(bytes_array({2, 4, 5}), bytes_array({2, 2})),
                 "labels: expected the shape (N)");
  const std::vector<float> half{0.0F, 0.5F};
  expect_message(with(bytes_array({2, 4, 5}), io::npy_array<float>({2}, half)),
                 "element 1: expected an integer, got 0.5");
  fs::copy_file(kFixtures / "object.npz", folder / "o.npz");
  expect_message(message_of(folder / "o.npz"), "expected an array 'x_train'; there are: x");
}

TEST(NpzFile, ReadsBothParts) {
  testing::TempFolder folder;
  write(folder / "d.npz", io::encode_npz({{"x_train", bytes_array({3, 2, 2, 1})},
                                          {"y_train", labels_array({0, 1, 2})},
                                          {"x_test", bytes_array({1, 3, 2, 2})},
                                          {"y_test", labels_array({1})}}));
  EXPECT_EQ(load(folder / "d.npz").images.sizes(), (std::vector<std::int64_t>{3, 1, 2, 2}));
  const auto test = load(folder / "d.npz", Part::test);
  EXPECT_EQ(test.images.sizes(), (std::vector<std::int64_t>{1, 3, 2, 2}));  // (N, C, H, W) as it is
  EXPECT_EQ(test.num_classes, 3);
}

TEST(NpzFile, ImagesAndLabelsAloneAreATestSet) {
  testing::TempFolder folder;
  write(folder / "d.npz",
        io::encode_npz({{"images", bytes_array({2, 4, 4})}, {"labels", labels_array({7, 7})}}));
  EXPECT_EQ(load(folder / "d.npz", Part::test).num_classes, 8);
  expect_message(message_of(folder / "d.npz"), "are a test set");
  write(folder / "bad.npz", std::string("PK\3\4"));
  expect_message(message_of(folder / "bad.npz"), "bad.npz: offset 0: expected a zip archive");
}

TEST(CifarFolder, BinaryAndPythonVersionsAreTheSameData) {
  testing::TempFolder folder;
  fs::create_directories(folder / "bin");
  fs::create_directories(folder / "py");
  for (int i = 1; i <= 6; ++i) {
    const auto name = i == 6 ? std::string("test_batch") : str("data_batch_", i);
    fs::copy_file(kFixtures / "cifar10_batch.bin", folder / ("bin/" + name + ".bin"));
    fs::copy_file(kFixtures / (i % 2 ? "cifar10_batch_python2" : "cifar10_batch_protocol2"),
                  folder / ("py/" + name));
  }
  fs::copy_file(kFixtures / "cifar10_meta", folder / "py/batches.meta");
  const auto binary = load(folder / "bin");
  const auto python = load(folder / "py");
  EXPECT_EQ(binary.images.sizes(), (std::vector<std::int64_t>{10, 3, 32, 32}));
  EXPECT_EQ(binary.sha256(), python.sha256());
  EXPECT_EQ(load(folder / "bin", Part::test).size(), 2);
  EXPECT_EQ(python.class_names.at(0), "airplane");
  EXPECT_EQ(binary.class_names.at(9), "9");
  EXPECT_EQ(load_dataset({.data = (folder / "bin").string(), .train_limit = 3}, Part::train).size(),
            3);
  fs::remove(folder / "bin/data_batch_3.bin");
  expect_message(message_of(folder / "bin"), "data_batch_3.bin: no such file");
}

TEST(ImageFolder, TakesOneImageOfEachClassInTurn) {
  testing::TempFolder folder;
  for (const char* name : {"train/b/2.png", "train/b/1.png", "train/a/1.png", "val/a/9.png"}) {
    fs::create_directories((folder / name).parent_path());
    fs::copy_file(kFixtures / "grey.png", folder / name);
  }
  write(folder / "train/a/notes.txt", std::string("no image"));
  const auto dataset = load(folder.path());
  EXPECT_EQ(dataset.images.sizes(), (std::vector<std::int64_t>{3, 1, 5, 7}));
  for (const auto& [row, label] : {std::pair{0, 0}, std::pair{1, 1}, std::pair{2, 1}})
    EXPECT_EQ(dataset.labels[row].item<int>(), label);
  EXPECT_EQ(dataset.class_names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(load(folder.path(), Part::test).size(), 1);
  EXPECT_EQ(load(folder.path(), Part::test).num_classes, 2);
}

TEST(ImageFolder, SaysWhichFileDiffers) {
  testing::TempFolder folder;
  for (const char* name : {"train/a/1.png", "train/b/1.png"}) {
    fs::create_directories((folder / name).parent_path());
    fs::copy_file(kFixtures / "rgb.png", folder / name);
  }
  fs::copy_file(kFixtures / "grey.jpg", folder / "train/b/2.jpg");
  EXPECT_EQ(load(folder.path()).shape(), (std::vector<std::int64_t>{3, 5, 7}));
  fs::create_directories(folder / "test/c");
  fs::copy_file(kFixtures / "rgb.png", folder / "test/c/1.png");
  expect_message(message_of(folder.path(), Part::test), "class 'c' is not in");
  auto png = io::read_file(kFixtures / "rgb.png");
  png.resize(60);
  write(folder / "train/b/3.png", png);
  expect_message(message_of(folder.path()), "train/b/3.png: offset");
  fs::remove_all(folder / "train");
  fs::create_directories(folder / "train/a");
  expect_message(message_of(folder.path()), "expected folders of .png or .jpg images");
}

TEST(TinyImageNet, ReadsItsOwnLayout) {
  testing::TempFolder folder;
  write(folder / "wnids.txt", std::string("n2\nn1\n"));
  for (const char* name : {"train/n1/images/n1_0.JPEG", "train/n2/images/n2_0.JPEG",
                           "val/images/v0.JPEG", "val/images/v1.JPEG"}) {
    fs::create_directories((folder / name).parent_path());
    fs::copy_file(kFixtures / "grey.jpg", folder / name);
  }
  write(folder / "val/val_annotations.txt",
        std::string("v1.JPEG\tn2\t0\t0\t63\t63\nv0.JPEG\tn1\n"));
  EXPECT_EQ(load(folder.path()).images.sizes(), (std::vector<std::int64_t>{2, 3, 5, 7}));
  const auto test = load(folder.path(), Part::test);
  EXPECT_EQ(test.labels[0].item<int>(), 1);
  EXPECT_EQ(test.class_names, (std::vector<std::string>{"n1", "n2"}));
  write(folder / "val/val_annotations.txt", std::string("v1.JPEG\tn2\nv0.JPEG\tn3\n"));
  expect_message(message_of(folder.path(), Part::test), "val_annotations.txt: line 2: expected");
}

}  // namespace
}  // namespace namid::data
