// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "namid/data/assemble.h"
#include "namid/data/dataset.h"

namespace namid::data {

/// A built-in data set or a format that is read from disk, for `namid list data`.
struct DatasetInfo {
  std::string name;
  std::string files;  ///< what makes a file or folder be read as this format
  std::string description;
};

/// The built-in data sets, then the formats in the order in which they are tried.
std::vector<DatasetInfo> list_datasets();

/// One format: how to recognise and how to read it.
struct Format {
  DatasetInfo info;
  bool (*matches)(const std::filesystem::path& path);
  Dataset (*load)(const Request& request);
};

/// The first format that matches. DataError, saying what is understood, if none does.
const Format& detect_format(const std::filesystem::path& path);

Dataset load_embedded(const Request& request);
Dataset load_idx(const Request& request);
bool is_idx(const std::filesystem::path& path);
Dataset load_cifar(const Request& request);
bool is_cifar(const std::filesystem::path& path);
Dataset load_npy_folder(const Request& request);
bool is_npy_folder(const std::filesystem::path& path);
Dataset load_npz(const Request& request);
bool is_npz(const std::filesystem::path& path);
Dataset load_tiny_imagenet(const Request& request);
bool is_tiny_imagenet(const std::filesystem::path& path);
Dataset load_image_folder(const Request& request);
bool is_image_folder(const std::filesystem::path& path);

}  // namespace namid::data
