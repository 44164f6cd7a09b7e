// SPDX-License-Identifier: Apache-2.0
// train/CLASS/*.png and test/CLASS/*.png (or val), and Tiny-ImageNet.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/data/formats.h"
#include "namid/data/image_files.h"
#include "namid/io/image.h"

namespace namid::data {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> folder_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && !entry.path().filename().string().starts_with('.'))
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

fs::path part_folder(const fs::path& folder, Part part) {
  if (part == Part::train) return folder / "train";
  return fs::is_directory(folder / "test") ? folder / "test" : folder / "val";
}

std::vector<std::vector<fs::path>> files_per_class(const fs::path& folder,
                                                   const std::vector<std::string>& classes) {
  std::vector<std::vector<fs::path>> files;
  for (const auto& name : classes)
    files.push_back(fs::is_directory(folder / name) ? image_files(folder / name)
                                                    : std::vector<fs::path>());
  return files;
}

/// 1 if the first image of every class is grey, else 3.
std::int64_t count_channels(const std::vector<std::vector<fs::path>>& per_class) {
  std::int64_t channels = 1;
  for (const auto& files : per_class)
    if (!files.empty() && channels == 1)
      channels = io::decode_image(io::read_file(files[0]), files[0].string()).channels;
  return channels;
}

std::vector<std::string> read_wnids(const fs::path& folder) {
  std::istringstream text{std::string(io::as_text(io::read_file(folder / "wnids.txt")))};
  std::vector<std::string> names;
  for (std::string name; text >> name;) names.push_back(name);
  std::sort(names.begin(), names.end());
  if (names.size() < 2 || std::adjacent_find(names.begin(), names.end()) != names.end())
    throw DataError(str((folder / "wnids.txt").string(), ": expected two or more different names"));
  return names;
}

std::vector<LabelledFile> validation_files(const fs::path& folder,
                                           const std::vector<std::string>& classes) {
  const auto list = folder / "val" / "val_annotations.txt";
  std::istringstream text{std::string(io::as_text(io::read_file(list)))};
  std::vector<LabelledFile> files;
  std::size_t line_number = 0;
  for (std::string line; std::getline(text, line);) {
    ++line_number;
    std::istringstream words(line);
    std::string file, name;
    words >> file >> name;
    const auto found = std::lower_bound(classes.begin(), classes.end(), name);
    if (found == classes.end() || *found != name)
      throw DataError(str(list.string(), ": line ", line_number,
                          ": expected a file and a class of wnids.txt, got '", line, "'"));
    files.push_back({folder / "val" / "images" / file, found - classes.begin()});
  }
  return files;
}

void need_files(const std::vector<LabelledFile>& files, const fs::path& folder) {
  if (files.empty())
    throw DataError(str(folder.string(), ": expected folders of .png or .jpg images, one a class"));
}

}  // namespace

bool is_image_folder(const fs::path& path) {
  return fs::is_directory(path / "train") || fs::is_directory(path / "test") ||
         fs::is_directory(path / "val");
}

Dataset load_image_folder(const Request& request) {
  const auto folder = part_folder(request.path, request.part);
  if (!fs::is_directory(folder)) throw DataError(str(folder.string(), ": no such folder"));
  const auto train = request.path / "train";
  const auto& model = fs::is_directory(train) ? train : folder;
  const auto classes = folder_names(model);
  for (const auto& name : folder_names(folder))
    if (!std::binary_search(classes.begin(), classes.end(), name))
      throw DataError(
          str((folder / name).string(), ": class '", name, "' is not in ", model.string()));
  const auto files = interleave(files_per_class(folder, classes));
  need_files(files, folder);
  return load_images(files, count_channels(files_per_class(model, classes)), classes,
                     request.limit);
}

bool is_tiny_imagenet(const fs::path& path) {
  return fs::is_regular_file(path / "wnids.txt");
}

Dataset load_tiny_imagenet(const Request& request) {
  const auto classes = read_wnids(request.path);
  if (request.part == Part::test) {
    const auto files = validation_files(request.path, classes);
    need_files(files, request.path / "val");
    return load_images(files, 3, classes, request.limit);
  }
  std::vector<std::vector<fs::path>> per_class;
  for (const auto& name : classes) {
    const auto folder = request.path / "train" / name / "images";
    if (!fs::is_directory(folder)) throw DataError(str(folder.string(), ": no such folder"));
    per_class.push_back(image_files(folder));
  }
  const auto files = interleave(per_class);
  need_files(files, request.path / "train");
  return load_images(files, 3, classes, request.limit);
}

}  // namespace namid::data
