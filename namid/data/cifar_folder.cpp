// SPDX-License-Identifier: Apache-2.0
// cifar-10-batches-bin, cifar-100-binary, cifar-10-batches-py, cifar-100-python.
#include "namid/io/cifar.h"

#include <array>
#include <sstream>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/data/assemble.h"
#include "namid/data/formats.h"
#include "namid/io/cifar_python.h"

namespace namid::data {
namespace {

namespace fs = std::filesystem;
using io::Cifar;

/// The files of one version of one of the two sets.
struct Layout {
  Cifar kind;
  std::vector<std::string> train;
  std::string test;
  std::string names;
  bool python;
};

const std::array<Layout, 4>& layouts() {
  static const std::array<Layout, 4> kLayouts{{
      {Cifar::ten,
       {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
        "data_batch_5.bin"},
       "test_batch.bin",
       "batches.meta.txt",
       false},
      {Cifar::hundred, {"train.bin"}, "test.bin", "fine_label_names.txt", false},
      {Cifar::ten,
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"},
       "test_batch",
       "batches.meta",
       true},
      {Cifar::hundred, {"train"}, "test", "meta", true},
  }};
  return kLayouts;
}

const Layout* find_layout(const fs::path& folder) {
  for (const auto& layout : layouts())
    if (fs::is_regular_file(folder / layout.train[0]) || fs::is_regular_file(folder / layout.test))
      return &layout;
  return nullptr;
}

std::vector<std::string> class_names(const fs::path& folder, const Layout& layout) {
  const auto path = folder / layout.names;
  if (!fs::exists(path)) return numbered_classes(classes_of(layout.kind));
  const auto bytes = io::read_file(path);
  if (layout.python) return io::parse_cifar_names(bytes, path.string(), layout.kind);
  std::istringstream text{std::string(io::as_text(bytes))};
  std::vector<std::string> names;
  for (std::string name; text >> name;) names.push_back(name);
  if (static_cast<std::int64_t>(names.size()) != classes_of(layout.kind))
    throw DataError(
        str(path.string(), ": expected ", classes_of(layout.kind), " names, got ", names.size()));
  return names;
}

}  // namespace

bool is_cifar(const fs::path& path) {
  return find_layout(path) != nullptr;
}

Dataset load_cifar(const Request& request) {
  const auto& layout = *find_layout(request.path);
  const auto files = request.part == Part::train ? layout.train : std::vector{layout.test};
  io::CifarBatch all;
  for (const auto& file : files) {
    const auto enough = static_cast<std::size_t>(request.limit);
    if (enough > 0 && all.labels.size() >= enough) break;
    const auto path = request.path / file;
    const auto bytes = io::read_file(path);
    const auto batch = layout.python ? io::parse_cifar_python(bytes, path.string(), layout.kind)
                                     : io::parse_cifar(bytes, path.string(), layout.kind);
    all.pixels.insert(all.pixels.end(), batch.pixels.begin(), batch.pixels.end());
    all.labels.insert(all.labels.end(), batch.labels.begin(), batch.labels.end());
  }
  const auto count = static_cast<std::int64_t>(all.labels.size());
  return assemble(request.path.string(), as_tensor(std::move(all.pixels), {count, 3, 32, 32}),
                  {request.path.string(), std::move(all.labels)}, class_names(request.path, layout),
                  request.limit);
}

}  // namespace namid::data
