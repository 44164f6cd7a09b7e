// SPDX-License-Identifier: Apache-2.0
#include "namid/data/dataset.h"

#include <filesystem>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/data/formats.h"
#include "namid/io/sha256.h"

namespace namid::data {
namespace {

constexpr std::string_view kMini = "fashion-mnist-mini";

bool looks_like_path(const std::string& text) {
  return text.find_first_of("/\\") != std::string::npos || text.ends_with(".npz") ||
         text.starts_with(".");
}

[[noreturn]] void refuse_name(const std::string& name) {
  std::string guess = nearest(name, {std::string(kMini)});
  if (!guess.empty()) guess = str(" (did you mean '", guess, "'?)");
  throw OptionError(str("data: expected a built-in name (", kMini,
                        ") or an existing file or folder, ", "got '", name, "'", guess));
}

}  // namespace

std::vector<std::int64_t> Dataset::shape() const {
  return images.sizes().slice(1).vec();
}

std::string Dataset::sha256() const {
  io::Sha256 hash;
  const auto sizes = images.sizes().vec();
  const auto pixels = images.contiguous();
  const auto classes = labels.contiguous();
  hash.update(sizes.data(), sizes.size() * sizeof(std::int64_t));
  hash.update(pixels.const_data_ptr(), pixels.nbytes());
  hash.update(classes.const_data_ptr(), classes.nbytes());
  return hash.hex();
}

Dataset load_dataset(const DataOptions& options, Part part) try {
  validate(options, "data");
  const auto limit = part == Part::train ? options.train_limit : options.test_limit;
  const std::filesystem::path path = options.data;
  Dataset dataset;
  if (options.data == kMini) {
    dataset = load_embedded({path, part, limit});
  } else if (std::filesystem::exists(path)) {
    dataset = detect_format(path).load({path, part, limit});
  } else if (looks_like_path(options.data)) {
    throw DataError(str(options.data, ": no such file or folder"));
  } else {
    refuse_name(options.data);
  }
  dataset.name = options.data;
  return dataset;
} catch (const std::filesystem::filesystem_error& error) {  // a folder that may not be read
  throw DataError(str(error.path1().string(), ": ", error.code().message()));
}

bool augments(const DataOptions& options, const Dataset& dataset) {
  if (options.augment == Augment::automatic) return dataset.images.size(1) > 1;
  return options.augment == Augment::on;
}

}  // namespace namid::data
