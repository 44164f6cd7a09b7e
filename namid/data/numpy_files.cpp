// SPDX-License-Identifier: Apache-2.0
// {train,test}_{images,labels}.npy in a folder, and .npz files.
#include <optional>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/data/assemble.h"
#include "namid/data/formats.h"
#include "namid/io/npz.h"

namespace namid::data {
namespace {

namespace fs = std::filesystem;

bool is_colour_count(std::int64_t size) {
  return size == 1 || size == 3;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const auto size : shape) text += str(text.empty() ? "(" : ", ", size);
  return text + ")";
}

/// (N, H, W), (N, H, W, C) or (N, C, H, W) to (N, C, H, W).
at::Tensor to_images(io::NpyArray array, const std::string& name) {
  if (array.type != io::NpyType::u1)
    throw DataError(str(name, ": images: expected uint8, got ", io::name_of(array.type)));
  const auto shape = array.shape;
  const bool grey = shape.size() == 3;
  const bool last = shape.size() == 4 && is_colour_count(shape[3]);
  if (!grey && !last && !(shape.size() == 4 && is_colour_count(shape[1])))
    throw DataError(str(name,
                        ": images: expected the shape (N, H, W), (N, H, W, C) or (N, C, H, W) with "
                        "1 or 3 channels, got ",
                        text_of(shape)));
  auto images = as_tensor(std::move(array.data), shape);
  if (grey) images = images.unsqueeze(1);
  return last ? images.permute({0, 3, 1, 2}).contiguous() : images;
}

Labels to_labels(const io::NpyArray& array, const std::string& name) {
  const auto& shape = array.shape;
  if (shape.size() != 1 && !(shape.size() == 2 && shape[1] == 1))
    throw DataError(str(name, ": labels: expected the shape (N), got ", text_of(shape)));
  return {name, array.integers(name)};
}

fs::path npy_path(const fs::path& folder, Part part, const char* what) {
  return folder / str(name_of(part), "_", what, ".npy");
}

io::NpyArray read_npy(const fs::path& path) {
  return io::parse_npy(io::read_file(path), path.string());
}

std::optional<Labels> read_npy_labels(const fs::path& folder, Part part) {
  const auto path = npy_path(folder, part, "labels");
  if (!fs::exists(path)) return std::nullopt;
  return to_labels(read_npy(path), path.string());
}

const char* letter(Part part) {
  return part == Part::train ? "_train" : "_test";
}

std::optional<Labels> read_npy_labels(const io::NpzFile& file, Part part) {
  const auto array = str("y", letter(part));
  if (!file.contains(array)) return std::nullopt;
  return to_labels(file.read(array), file.name_of(array));
}

Dataset load_single(const io::NpzFile& file, const Request& request) {
  if (request.part == Part::train)
    throw DataError(str(request.path.string(),
                        ": expected arrays x_train and y_train to train on; images and labels "
                        "alone are a test set"));
  const auto labels = to_labels(file.read("labels"), file.name_of("labels"));
  const auto classes = count_classes(std::nullopt, labels);
  return assemble(file.name_of("images"), to_images(file.read("images"), file.name_of("images")),
                  labels, numbered_classes(classes), request.limit);
}

}  // namespace

bool is_npy_folder(const fs::path& path) {
  return fs::is_regular_file(npy_path(path, Part::train, "images")) ||
         fs::is_regular_file(npy_path(path, Part::test, "images"));
}

Dataset load_npy_folder(const Request& request) {
  const auto images = npy_path(request.path, request.part, "images");
  const auto train = read_npy_labels(request.path, Part::train);
  const auto test = read_npy_labels(request.path, Part::test);
  const auto& labels = request.part == Part::train ? train : test;
  if (!labels)
    throw DataError(str(npy_path(request.path, request.part, "labels").string(), ": no such file"));
  const auto classes = count_classes(train, test);
  return assemble(images.string(), to_images(read_npy(images), images.string()), *labels,
                  numbered_classes(classes), request.limit);
}

bool is_npz(const fs::path& path) {
  return fs::is_regular_file(path) && path.extension() == ".npz";
}

Dataset load_npz(const Request& request) {
  const auto bytes = io::read_file(request.path);
  const io::NpzFile file(bytes, request.path.string());
  if (file.contains("images") && !file.contains("x_train") && !file.contains("x_test"))
    return load_single(file, request);
  const auto images = str("x", letter(request.part));
  const auto train = read_npy_labels(file, Part::train);
  const auto test = read_npy_labels(file, Part::test);
  auto pixels = to_images(file.read(images), file.name_of(images));
  const auto& labels = request.part == Part::train ? train : test;
  if (!labels) file.read(str("y", letter(request.part)));  // says that it is missing
  return assemble(file.name_of(images), std::move(pixels), *labels,
                  numbered_classes(count_classes(train, test)), request.limit);
}

}  // namespace namid::data
