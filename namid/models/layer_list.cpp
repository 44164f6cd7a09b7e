// SPDX-License-Identifier: Apache-2.0
#include "namid/models/layer_list.h"

#include <fstream>
#include <sstream>

#include "namid/core/options.h"
#include "namid/io/toml_library.h"

namespace namid {
template <>
struct EnumNames<models::LayerType> {
  static constexpr std::array kNames{"conv",    "linear",  "batchnorm",      "relu",
                                     "maxpool", "avgpool", "global_avgpool", "flatten"};
};
}  // namespace namid

namespace namid::models {
namespace {

using Keys = std::vector<std::string>;

Keys keys_of(LayerType type) {
  switch (type) {
    case LayerType::conv:
      return {"type", "channels", "kernel", "stride", "padding", "bias"};
    case LayerType::linear:
      return {"type", "features", "bias"};
    case LayerType::maxpool:
    case LayerType::avgpool:
      return {"type", "kernel", "stride", "padding"};
    default:
      return {"type"};
  }
}

std::string did_you_mean(std::string_view word, const Keys& words) {
  const auto guess = nearest(word, words);
  return guess.empty() ? "" : str("; did you mean '", guess, "'?");
}

LayerType type_of(const toml::table& table, std::size_t index) {
  const auto text = table["type"].value<std::string>();
  if (!text) throw OptionError(str("[model] layers: layer ", index + 1, ": no type"));
  const Keys names(EnumNames<LayerType>::kNames.begin(), EnumNames<LayerType>::kNames.end());
  const auto found = std::find(names.begin(), names.end(), *text);
  if (found == names.end())
    throw OptionError(str("[model] layers: layer ", index + 1, ": unknown type '", *text, "'",
                          did_you_mean(*text, names)));
  return static_cast<LayerType>(found - names.begin());
}

/// Reads the values of one table, each checked for type and range.
class TableReader {
 public:
  TableReader(const toml::table& table, LayerType type, std::size_t index)
      : table_(table), place_(layer_place(index, type)) {
    const auto known = keys_of(type);
    for (const auto& [key, value] : table)
      if (std::find(known.begin(), known.end(), key.str()) == known.end())
        throw OptionError(str(place_, "unknown key '", key.str(), "'", did_you_mean(key, known)));
  }

  std::int64_t integer(const char* key, std::int64_t low, std::int64_t absent) const {
    const auto* node = table_.get(key);
    if (!node) return absent;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < low || *value > 65536)
      throw OptionError(str(place_, key, ": expected a whole number in [", low, ", 65536]"));
    return *value;
  }
  std::int64_t required(const char* key, std::int64_t low) const {
    if (!table_.contains(key)) throw OptionError(str(place_, key, " is missing"));
    return integer(key, low, 0);
  }
  bool boolean(const char* key, bool absent) const {
    const auto* node = table_.get(key);
    if (!node) return absent;
    const auto value = node->value_exact<bool>();
    if (!value) throw OptionError(str(place_, key, ": expected true or false"));
    return *value;
  }

 private:
  const toml::table& table_;
  std::string place_;
};

LayerSpec layer_of(const toml::table& table, std::size_t index) {
  LayerSpec layer{.type = type_of(table, index)};
  const TableReader read(table, layer.type, index);
  const bool convolution = layer.type == LayerType::conv;
  if (convolution) layer.channels = read.required("channels", 1);
  layer.features = read.integer("features", 1, 0);
  layer.kernel = read.integer("kernel", 1, convolution ? 3 : 2);
  layer.stride = read.integer("stride", 1, convolution ? 1 : layer.kernel);
  layer.padding = read.integer("padding", 0, 0);
  layer.bias = read.boolean("bias", true);
  if (!convolution && 2 * layer.padding > layer.kernel)
    throw OptionError(str(layer_place(index, layer.type),
                          "padding: expected at most half of kernel ", layer.kernel, ", got ",
                          layer.padding));
  return layer;
}

}  // namespace

std::string layer_place(std::size_t index, LayerType type) {
  return str("[model] layers: layer ", index + 1, " (", namid::to_string(type), "): ");
}

std::vector<LayerSpec> parse_layers(const std::string& toml) {
  toml::table document;
  try {
    document = toml::parse(toml);
  } catch (const toml::parse_error& error) {
    throw OptionError(
        str("[model] layers: line ", error.source().begin.line, ": ", error.description()));
  }
  for (const auto& [key, value] : document)
    if (key.str() != "layer")
      throw OptionError(
          str("[model] layers: unknown key '", key.str(), "', expected only [[layer]] tables"));
  const auto* tables = document["layer"].as_array();
  if (!tables || tables->empty() || !tables->is_array_of_tables())
    throw OptionError("[model] layers: expected at least one [[layer]] table");
  std::vector<LayerSpec> layers;
  for (const auto& node : *tables) layers.push_back(layer_of(*node.as_table(), layers.size()));
  return layers;
}

std::string layer_text(const std::string& file_or_text) {
  if (file_or_text.empty())
    throw OptionError("[model] layers: `sequential` needs a TOML file with [[layer]] tables");
  if (file_or_text.find("[[layer]]") != std::string::npos) return file_or_text;
  std::ifstream file(file_or_text, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    throw DataError(str(file_or_text, ": cannot read the layer list"));
  return text.str();
}

}  // namespace namid::models
