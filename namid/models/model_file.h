// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "namid/io/bytes.h"
#include "namid/models/classifier.h"

// Models out of files by others: torch.export programs and TorchScript. Files that namid writes
// itself are in weights.h.

namespace namid::models {

/// The classifier of a `.pt2` file, on the CPU. Its name is that of the archive's folder; class
/// count and input shape are those of the graph. Parameters, buffers and constants are its state,
/// under the names of the model, with one entry more: "namid.program", the SHA-256 of the graph
/// (uint8, 32), so that every hash of a state dict tells programs of equal weights apart. Train
/// mode changes nothing: an exported program stays in the mode of its export.
/// DataError for a file that parse_pt2 or ExportedGraph refuses, for a program of a fixed batch
/// size, and for one whose output for two images is not (2, classes).
Classifier load_program(const std::filesystem::path& path);
Classifier load_program(io::ByteSpan bytes, const std::string& file);

/// The classifier of a TorchScript file, which is a program of its own: it can do what PyTorch can,
/// reading files for one; only for files of people you trust. The file tells neither input shape
/// nor class count: the first must be known, the second is found by a forward of zeros. Put in eval
/// mode, run without TorchScript's profiling, and named by the file. State as above, with the hash
/// of the file.
/// DataError if it cannot be read or does not fit the shape.
Classifier load_torchscript(const std::filesystem::path& path,
                            const std::vector<std::int64_t>& input_shape);

/// What a file with a model in it is, by its first bytes and its members; only for ONNX, which has
/// no mark of its own, by its name too.
enum class ModelFile { safetensors, pt2, torchscript, checkpoint, onnx, other };
ModelFile model_file_kind(const std::filesystem::path& path);

}  // namespace namid::models
