// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace namid::app {

/// Rows of a listing: the same keys in every row, "name" first.
using Rows = std::vector<std::vector<std::pair<std::string, std::string>>>;

/// `namid list recipes`: the recipes at full scale, the paper's row and its figures.
Rows list_recipes();

/// Writes each of them to `<folder>/<name>.toml`, which are the files in recipes/.
void write_recipes(const std::filesystem::path& folder);

}  // namespace namid::app
