// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace namid {

/// Named tensors in a fixed order (a state dict).
using TensorMap = std::vector<std::pair<std::string, at::Tensor>>;

/// The tensor called `name`, or an undefined one.
at::Tensor find_tensor(const TensorMap& tensors, const std::string& name);

namespace run {

struct TensorFile {
  TensorMap tensors;                            ///< CPU, contiguous
  std::map<std::string, std::string> metadata;  ///< without the checksums
};

/// Writes a safetensors file atomically (temporary name, sync, read back, rename). Its
/// `__metadata__` holds a CRC-32C per tensor under "namid.crc32c". Throws ResourceError if disk or
/// folder fail.
void write_tensor_file(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// Reads a safetensors file and checks the checksums it has. Throws DataError with file, tensor and
/// cause.
TensorFile read_tensor_file(const std::filesystem::path& path);

}  // namespace run
}  // namespace namid
