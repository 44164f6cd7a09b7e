// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "namid/models/classifier.h"

namespace namid::models {

/// Writes a safetensors file from which load_model rebuilds everything: the state dict, and in the
/// metadata, under "namid.model", a JSON object with the options of the network, its number of
/// classes, input shape and normalisation. OptionError for a classifier that the registry did not
/// build.
void save_model(const std::filesystem::path& path, const Classifier& model);

/// The classifier of a file written by save_model; on the CPU, in eval mode. DataError names the
/// file and what is wrong with it.
Classifier load_model(const std::filesystem::path& path);

/// Copies weights that anyone wrote (safetensors, .pth, .npz: read_weight_file) into `model`, with
/// PyTorch's names or those that map_keys knows. DataError as Classifier::load_state_dict, with the
/// file's name and the nearest names, and where the file holds another normalisation than the model
/// has.
void load_weights(const std::filesystem::path& path, const Classifier& model);

/// SHA-256 (hexadecimal) of names, types, shapes and bytes of a state dict, in its order.
std::string weights_sha256(const TensorMap& state);

}  // namespace namid::models
