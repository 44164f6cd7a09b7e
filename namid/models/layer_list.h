// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace namid::models {

enum class LayerType { conv, linear, batchnorm, relu, maxpool, avgpool, global_avgpool, flatten };

/// One [[layer]] table. Only the keys of its type are accepted:
///   conv: channels, kernel = 3, stride = 1, padding = 0, bias = true
///   linear: features (left out: the number of classes), bias = true
///   maxpool, avgpool: kernel = 2, stride = kernel, padding = 0
///   batchnorm, relu, global_avgpool, flatten: none
struct LayerSpec {
  LayerType type = LayerType::relu;
  std::int64_t channels = 0;
  std::int64_t features = 0;
  std::int64_t kernel = 0;
  std::int64_t stride = 0;
  std::int64_t padding = 0;
  bool bias = true;
};

/// The layers of TOML text such as
///   [[layer]]
///   type = "conv"
///   channels = 32
/// OptionError names layer number (from 1), its type and what is wrong.
std::vector<LayerSpec> parse_layers(const std::string& toml);

/// `file_or_text` itself if it holds a [[layer]] table, else the contents of that file. DataError
/// if it cannot be read, OptionError if there is none.
std::string layer_text(const std::string& file_or_text);

/// "layers: layer 3 (conv): ", the start of an error message about layer `index` (from 0).
std::string layer_place(std::size_t index, LayerType type);

}  // namespace namid::models
