// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "namid/data/assemble.h"
#include "namid/data/dataset.h"

namespace namid::data {

/// An image file and its class.
struct LabelledFile {
  std::filesystem::path path;
  std::int64_t label = 0;
};

/// Decodes the first `limit` files (0: all) in parallel. All have the size of the first one. With
/// channels 3, grey images are spread to three channels; with channels 1, a colour image is
/// refused. DataError naming the file that differs or is damaged.
Dataset load_images(const std::vector<LabelledFile>& files, std::int64_t channels,
                    std::vector<std::string> class_names, std::int64_t limit);

/// The image files of a folder, sorted by name; hidden ones are left out.
std::vector<std::filesystem::path> image_files(const std::filesystem::path& folder);

/// One list of files per class to one list: the first of each class, the second of each, and so on,
/// so that the first N are a balanced choice.
std::vector<LabelledFile> interleave(
    const std::vector<std::vector<std::filesystem::path>>& per_class);

}  // namespace namid::data
