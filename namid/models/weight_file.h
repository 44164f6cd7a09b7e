// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "namid/io/bytes.h"
#include "namid/run/tensor_file.h"

namespace namid::models {

/// The formats of weights, told apart by content: safetensors; torch.save's zip form and its older
/// one; numpy's .npz; and any other zip archive, which holds no weights by themselves.
enum class WeightFormat { safetensors, torch, torch_legacy, npz, zip };
std::string to_string(WeightFormat format);

/// Named tensors of a file that anyone may have written.
struct WeightFile {
  WeightFormat format = WeightFormat::safetensors;
  std::string entry;  ///< the part of a .pth file that was read, "state_dict."; empty: all of it
  TensorMap tensors;  ///< CPU, contiguous, each with its own memory
  std::map<std::string, std::string> metadata;  ///< of safetensors, without checksums
  std::int64_t unverified = 0;                  ///< tensors whose bytes no checksum vouches for
};

/// What format a file's bytes have. DataError if none of them.
WeightFormat weight_format(io::ByteSpan bytes, const std::string& file);

/// Reads a file of any of the formats; nothing in it is executed. `entry` chooses the state dict in
/// a .pth file (io::state_dict_prefix); its part of the names is left out. DataError for damaged
/// files, checksums that differ, tensors that are there twice, and more than 4 GiB in all.
WeightFile read_weight_file(const std::filesystem::path& path, const std::string& entry = "");

/// Writes tensors atomically, by the path's extension: .safetensors with a CRC-32C per tensor, or
/// .pth, .pt, .bin as torch.save writes a state dict (where `metadata` has no place). OptionError
/// for other extensions, DataError for types that the format does not hold, ResourceError.
void write_weight_file(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// OptionError unless write_weight_file knows the path's extension.
void check_weight_path(const std::filesystem::path& path);

}  // namespace namid::models
