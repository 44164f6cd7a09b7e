// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace namid::models {

/// What a file of weights holds, without loading it as anything:
///   file, format ("safetensors", "torch (zip)", "torch (legacy)", "npz", "zip",
///   "torch.export program"), bytes, sha256;
///   tensors: [{name, dtype, shape, bytes; for .pth also storage, and strides and offset of
///   views}]; elements: of all tensors; checksum: "crc32", "crc32c" or "none"; unverified: tensors
///   (members of a zip) whose bytes no checksum vouches for; .pth: objects: [{name, text}],
///   imports: [what unpickling would import], entry: the state dict that would be read, or
///   entry_problem: why none is; safetensors: metadata; other zip archives: members: [{name, bytes,
///   packed}]. Programs of torch.export (.pt2) have members and, unless program_problem says why
///   namid cannot run them: tensors with their role, operators: {name: nodes}, input and output:
///   {dtype, shape, null where dynamic}, torch: the version that wrote it, graph_sha256, note: what
///   `python -m namid.export` wrote into it, with the check that it passed.
/// Every checksum there is was checked. DataError for damaged files and unknown formats.
nlohmann::json inspect_file(const std::filesystem::path& path);

}  // namespace namid::models
