// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "namid/core/options.h"
#include "namid/core/random.h"
#include "namid/core/tensor_random.h"

namespace namid::data {

/// When training images are augmented. auto: for colour images, not for grey digits and clothes.
enum class Augment { automatic, on, off };

/// Which data set, how much of it, and how it is split.
struct DataOptions {
  std::string data = "fashion-mnist-mini";
  std::int64_t train_limit = 0;
  std::int64_t test_limit = 0;
  std::int64_t validation = 0;
  Augment augment = Augment::automatic;
  static constexpr auto fields() {
    return std::tuple{
        field("data", &DataOptions::data,
              "a built-in name or a file or folder: IDX, CIFAR-10/100 (binary or python), .npy "
              "pairs, "
              ".npz, image folders, Tiny-ImageNet"),
        field("train_limit", &DataOptions::train_limit,
              "use only the first this many training images; 0: all", at_least(0)),
        field("test_limit", &DataOptions::test_limit,
              "use only the first this many test images; 0: all", at_least(0)),
        field("validation", &DataOptions::validation,
              "training images held out for validation, drawn by the seed", at_least(0)),
        field("augment", &DataOptions::augment,
              "zero-pad 4, random crop and horizontal flip; auto: colour images only")};
  }
};
NAMID_CHECK_FIELDS(DataOptions);

/// Images and labels, whole in memory.
struct Dataset {
  std::string name;
  at::Tensor images;  ///< uint8 (N, C, H, W), CPU
  at::Tensor labels;  ///< int64 (N), in [0, num_classes)
  SampleIds ids;      ///< index of each sample in its file order
  std::int64_t num_classes = 0;
  std::vector<std::string> class_names;  ///< num_classes entries

  std::int64_t size() const { return labels.defined() ? labels.size(0) : 0; }
  std::vector<std::int64_t> shape() const;  ///< of one image, {C, H, W}
  std::string sha256() const;               ///< of shape, image bytes and labels, hexadecimal
  Dataset rows(std::span<const std::int64_t> indices) const;
};

enum class Part { train, test };

/// Loads one part of the data set that `options` names. DataError with file, offset and expectation
/// for anything unreadable, corrupt or unfit; OptionError for an unknown name.
Dataset load_dataset(const DataOptions& options, Part part);

/// Splits off `count` samples drawn by Random(seed, "data/validation"): {rest, validation}, both in
/// file order. OptionError if count leaves no training sample.
std::pair<Dataset, Dataset> split_validation(const Dataset& dataset, std::int64_t count,
                                             std::uint64_t seed);

/// One batch, ready for a model.
struct Batch {
  at::Tensor x;  ///< float32 (N, C, H, W) in [0,1]
  at::Tensor y;  ///< int64 (N)
  SampleIds ids;
  std::int64_t size() const { return y.size(0); }
};

/// The rows `indices` as a batch on `device`.
Batch make_batch(const Dataset& dataset, std::span<const std::int64_t> indices,
                 const at::Device& device = at::kCPU);

/// Zero-pad 4, crop at an offset uniform on {0..8}², flip with probability 1/2 (as the released
/// code); draws belong to (sample id, epoch), so batch size and order do not change them. x: (N, C,
/// H, W).
at::Tensor augment(const at::Tensor& x, const SampleIds& ids, const Random& random,
                   std::uint32_t epoch);

/// Whether `options.augment` means augmentation for this data set.
bool augments(const DataOptions& options, const Dataset& dataset);

}  // namespace namid::data

namespace namid {
template <>
struct EnumNames<data::Augment> {
  static constexpr std::array kNames{"auto", "on", "off"};
};
}  // namespace namid
