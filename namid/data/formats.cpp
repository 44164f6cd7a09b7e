// SPDX-License-Identifier: Apache-2.0
#include "namid/data/formats.h"

#include <array>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::data {
namespace {

const std::vector<Format>& formats() {
  static const std::vector<Format> kFormats{
      {{"npz", "FILE.npz",
        "uint8 arrays x_train, y_train, x_test, y_test, or images and labels (a test set)"},
       is_npz,
       load_npz},
      {{"idx", "train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz], t10k-...",
        "MNIST's format: MNIST, Fashion-MNIST, KMNIST"},
       is_idx,
       load_idx},
      {{"cifar", "data_batch_1[.bin] ... test_batch[.bin], or train[.bin] and test[.bin]",
        "CIFAR-10 and CIFAR-100 (fine labels), binary or python version"},
       is_cifar,
       load_cifar},
      {{"npy", "train_images.npy, train_labels.npy, test_images.npy, test_labels.npy",
        "uint8 images (N, H, W, C), (N, C, H, W) or (N, H, W); integer labels"},
       is_npy_folder,
       load_npy_folder},
      {{"tiny-imagenet", "wnids.txt, train/WNID/images/*.JPEG, val/images, val/val_annotations.txt",
        "Tiny-ImageNet; classes in the order of their sorted names; val is the test set"},
       is_tiny_imagenet,
       load_tiny_imagenet},
      {{"image-folder", "train/CLASS/*.png|jpg and test/CLASS/*.png|jpg (or val)",
        "images of one size; classes in the order of their sorted names"},
       is_image_folder,
       load_image_folder},
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
