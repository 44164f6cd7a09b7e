// SPDX-License-Identifier: Apache-2.0
#include "namid/data/formats.h"

#include <array>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::data {
namespace {

const std::vector<Format>& formats() {
  static const std::vector<Format> kFormats{
      {{"idx", "train-images-idx3-ubyte[.gz], t10k-..., labels-idx1",
        "grey images in MNIST's format: MNIST, Fashion-MNIST, KMNIST, EMNIST"},
       is_idx,
       load_idx},
  };
  return kFormats;
}

}  // namespace

std::vector<DatasetInfo> list_datasets() {
  std::vector<DatasetInfo> list{
      {"fashion-mnist-mini", "built in",
       "7,000 images of Fashion-MNIST, 6,000 to train and 1,000 to test; 28x28, grey, 10 classes"}};
  for (const auto& format : formats()) list.push_back(format.info);
  return list;
}

const Format& detect_format(const std::filesystem::path& path) {
  for (const auto& format : formats())
    if (format.matches(path)) return format;
  std::string known;
  for (const auto& format : formats())
    known += str("\n  ", format.info.name, ": ", format.info.files);
  throw DataError(str(path.string(), ": expected data in one of these forms:", known));
}

}  // namespace namid::data
