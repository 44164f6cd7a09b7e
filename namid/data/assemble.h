// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "namid/data/dataset.h"
#include "namid/io/bytes.h"

namespace namid::data {

/// Which part of which file or folder to load, and how much of it.
struct Request {
  std::filesystem::path path;
  Part part = Part::train;
  std::int64_t limit = 0;  ///< only the first this many images; 0: all
};

/// Labels as a file holds them, with the file's name for messages.
struct Labels {
  std::string file;
  std::vector<std::int64_t> values;
};

/// Bytes as uint8 tensor of `sizes`; the tensor owns them.
at::Tensor as_tensor(io::Bytes bytes, std::vector<std::int64_t> sizes);

/// The tensor's elements as int64 labels (N).
at::Tensor as_tensor(const std::vector<std::int64_t>& labels);

/// 1 + the largest training label (of the test labels where there are no training labels).
/// DataError for a negative label, a class without a training image, or a test label beyond the
/// classes.
std::int64_t count_classes(const std::optional<Labels>& train, const std::optional<Labels>& test);

/// DataError naming the file and the sample if a label is not in [0, num_classes).
void check_labels(const Labels& labels, std::int64_t num_classes);

/// "0", "1", ...: names of classes that have none.
std::vector<std::string> numbered_classes(std::int64_t count);

/// A data set of images (N, C, H, W) or (N, H, W): checks that there are as many labels as images
/// and at least one, keeps the first `limit`, and gives the ids 0, 1, ...
Dataset assemble(const std::string& images_file, at::Tensor images, const Labels& labels,
                 std::vector<std::string> class_names, std::int64_t limit);

/// "train" or "test".
const char* name_of(Part part);

}  // namespace namid::data
