// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace namid::models {

/// What a file of weights holds, without loading it as anything:
///   file, format ("safetensors", "torch (zip)", "torch (legacy)", "npz", "zip"), bytes, sha256;
///   tensors: [{name, dtype, shape, bytes; for .pth also storage, and strides and offset of
///   views}]; elements: of all tensors; checksum: "crc32", "crc32c" or "none"; unverified: tensors
///   (members of a zip) whose bytes no checksum vouches for; .pth: objects: [{name, text}],
///   imports: [what unpickling would import], entry: the state dict that would be read, or
///   entry_problem: why none is; safetensors: metadata; other zip archives (.pt2): members: [{name,
///   bytes, packed}].
/// Every checksum there is was checked. DataError for damaged files and unknown formats.
nlohmann::json inspect_file(const std::filesystem::path& path);

}  // namespace namid::models
