// SPDX-License-Identifier: Apache-2.0
#include "namid/data/assemble.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::data {
namespace {

constexpr std::int64_t kMostClasses = 1 << 20;

std::int64_t largest(const Labels& labels) {
  if (labels.values.empty()) throw DataError(str(labels.file, ": expected at least one label"));
  return *std::max_element(labels.values.begin(), labels.values.end());
}

}  // namespace

at::Tensor as_tensor(io::Bytes bytes, std::vector<std::int64_t> sizes) {
  auto owner = std::make_shared<io::Bytes>(std::move(bytes));
  return at::from_blob(
      owner->data(), sizes, [owner](void*) mutable { owner.reset(); },
      at::TensorOptions().dtype(at::kByte));
}

at::Tensor as_tensor(const std::vector<std::int64_t>& labels) {
  auto tensor = at::empty({static_cast<std::int64_t>(labels.size())}, at::kLong);
  std::copy(labels.begin(), labels.end(), tensor.data_ptr<std::int64_t>());
  return tensor;
}

void check_labels(const Labels& labels, std::int64_t num_classes) {
  for (std::size_t i = 0; i < labels.values.size(); ++i)
    if (labels.values[i] < 0 || labels.values[i] >= num_classes)
      throw DataError(str(labels.file, ": sample ", i, ": expected a label from 0 to ",
                          num_classes - 1, ", got ", labels.values[i]));
}

std::int64_t count_classes(const std::optional<Labels>& train, const std::optional<Labels>& test) {
  const auto classes = std::max<std::int64_t>(largest(train ? *train : test.value()) + 1, 2);
  if (train) check_labels(*train, std::min(classes, kMostClasses));
  if (test) check_labels(*test, std::min(classes, kMostClasses));
  if (!train) return classes;
  std::vector<bool> seen(static_cast<std::size_t>(classes));
  for (const auto label : train->values) seen[static_cast<std::size_t>(label)] = true;
  const auto missing = std::find(seen.begin(), seen.end(), false) - seen.begin();
  if (missing < classes)
    throw DataError(str(train->file, ": labels must run from 0 without gaps; the largest is ",
                        classes - 1, ", but no image is labelled ", missing));
  return classes;
}

std::vector<std::string> numbered_classes(std::int64_t count) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < count; ++i) names.push_back(str(i));
  return names;
}

Dataset assemble(const std::string& images_file, at::Tensor images, const Labels& labels,
                 std::vector<std::string> class_names, std::int64_t limit) {
  if (images.dim() == 3) images = images.unsqueeze(1);
  const auto count = static_cast<std::int64_t>(labels.values.size());
  if (images.size(0) != count)
    throw DataError(str(labels.file, ": expected ", images.size(0), " labels, file holds ", count));
  if (images.numel() == 0)
    throw DataError(str(images_file, ": expected at least one image of at least one pixel"));
  Dataset dataset;
  dataset.num_classes = static_cast<std::int64_t>(class_names.size());
  check_labels(labels, dataset.num_classes);
  const auto kept = limit > 0 ? std::min(limit, count) : count;
  dataset.images = images.narrow(0, 0, kept).contiguous();
  if (kept < count) dataset.images = dataset.images.clone();  // lets go of the rest
  dataset.labels = as_tensor(labels.values).narrow(0, 0, kept).clone();
  dataset.ids.resize(static_cast<std::size_t>(kept));
  std::iota(dataset.ids.begin(), dataset.ids.end(), std::uint64_t{0});
  dataset.class_names = std::move(class_names);
  return dataset;
}

const char* name_of(Part part) {
  return part == Part::train ? "train" : "test";
}

}  // namespace namid::data
