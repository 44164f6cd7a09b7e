// SPDX-License-Identifier: Apache-2.0
// MNIST's four files: {train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz].
#include <optional>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/data/assemble.h"
#include "namid/data/embedded.h"
#include "namid/data/formats.h"
#include "namid/io/idx.h"

namespace namid::data {
namespace {

namespace fs = std::filesystem;

struct NamedBytes {
  io::ByteSpan bytes;
  std::string name;
};

const char* prefix(Part part) {
  return part == Part::train ? "train" : "t10k";
}

std::optional<fs::path> find_file(const fs::path& folder, Part part, const std::string& kind) {
  for (const char* dot : {"-", "."})
    for (const char* end : {"", ".gz"}) {
      auto path = folder / str(prefix(part), "-", kind.substr(0, 6), dot, kind.substr(7), end);
      if (fs::is_regular_file(path)) return path;
    }
  return std::nullopt;
}

fs::path need_file(const fs::path& folder, Part part, const std::string& kind) {
  if (auto path = find_file(folder, part, kind)) return *path;
  throw DataError(str((folder / str(prefix(part), "-", kind)).string(), "[.gz]: no such file"));
}

Labels parse_labels(const NamedBytes& file) {
  const auto array = io::parse_idx(file.bytes, file.name);
  if (array.shape.size() != 1)
    io::fail_at(file.name, 3,
                str("expected labels (1 dimension), got ", array.shape.size(), " dimensions"));
  Labels labels{file.name, {}};
  for (const auto byte : array.data) labels.values.push_back(std::to_integer<int>(byte));
  return labels;
}

at::Tensor parse_images(const NamedBytes& file) {
  auto array = io::parse_idx(file.bytes, file.name);
  if (array.shape.size() != 3)
    io::fail_at(file.name, 3,
                str("expected images (3 dimensions), got ", array.shape.size(), " dimensions"));
  return as_tensor(std::move(array.data), array.shape);
}

std::optional<Labels> read_labels(const fs::path& folder, Part part) {
  const auto path = find_file(folder, part, "labels-idx1-ubyte");
  if (!path) return std::nullopt;
  const auto bytes = io::read_file(*path);
  return parse_labels({bytes, path->string()});
}

}  // namespace

bool is_idx(const fs::path& path) {
  return find_file(path, Part::train, "images-idx3-ubyte") ||
         find_file(path, Part::test, "images-idx3-ubyte");
}

Dataset load_idx(const Request& request) {
  const auto images = need_file(request.path, request.part, "images-idx3-ubyte");
  need_file(request.path, request.part, "labels-idx1-ubyte");
  const auto train = read_labels(request.path, Part::train);
  const auto test = read_labels(request.path, Part::test);
  const auto classes = count_classes(train, test);
  const auto bytes = io::read_file(images);
  return assemble(images.string(), parse_images({bytes, images.string()}),
                  request.part == Part::train ? *train : *test, numbered_classes(classes),
                  request.limit);
}

Dataset load_embedded(const Request& request) {
  const auto files = embedded_fashion_mnist_mini(request.part);
  const std::string name = "fashion-mnist-mini";
  return assemble(name, parse_images({files.images, name + " images"}),
                  parse_labels({files.labels, name + " labels"}),
                  {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                   "Sneaker", "Bag", "Ankle boot"},
                  request.limit);
}

}  // namespace namid::data
