// SPDX-License-Identifier: Apache-2.0
#include "namid/models/weights.h"

#include <nlohmann/json.hpp>

#include "namid/core/option_set.h"
#include "namid/io/sha256.h"
#include "namid/models/import_weights.h"
#include "namid/models/registry.h"
#include "namid/run/tensor_file.h"

namespace namid::models {
namespace {

constexpr auto kKey = "namid.model";

/// Runs `action`; its errors get the file's name and become DataErrors.
template <class Action>
auto about_weights(const std::filesystem::path& path, const Action& action) {
  try {
    return action();
  } catch (const std::runtime_error& error) {
    throw DataError(str(path.string(), ": ", error.what()));
  } catch (const OptionError& error) {
    throw DataError(str(path.string(), ": ", error.what()));
  } catch (const nlohmann::json::exception& error) {
    throw DataError(str(path.string(), ": metadata ", kKey, ": ", error.what()));
  }
}

Classifier build(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  ModelOptions options;
  OptionSet set;
  set.add("", options);
  for (const auto& [key, value] : json.at("options").items())
    if (const auto setting = value.get<std::string>(); setting != set.find(key).default_text)
      set.set(key, setting);
  if (!options.layers.empty() && options.layers.find("[[layer]]") == std::string::npos)
    throw DataError(str("metadata ", kKey, ": layers: expected the layer list itself"));
  return create(options, json.at("input_shape").get<std::vector<std::int64_t>>(),
                json.at("num_classes").get<std::int64_t>());
}

}  // namespace

void save_model(const std::filesystem::path& path, const Classifier& model) {
  const auto& info = model.info();
  if (info.recipe.empty())
    throw OptionError(
        str("[model] save: ", info.name,
            " was not built by name, so a file could not tell how to build it again"));
  const nlohmann::json json{{"options", info.recipe},
                            {"input_shape", info.input_shape},
                            {"num_classes", info.num_classes}};
  run::write_tensor_file(path, model.state_dict(), {{kKey, json.dump()}});
}

Classifier load_model(const std::filesystem::path& path) {
  const auto file = run::read_tensor_file(path);
  const auto found = file.metadata.find(kKey);
  if (found == file.metadata.end())
    throw DataError(str(path.string(), ": no metadata ", kKey,
                        "; name the network and use the file as its weights"));
  return about_weights(path, [&] {
    const auto model = build(found->second);
    model.load_state_dict(file.tensors);
    model.train(false);
    return model;
  });
}

void load_weights(const std::filesystem::path& path, const Classifier& model) {
  load_weights(read_weight_file(path), path, model, KeyNames::mapped);
}

std::string weights_sha256(const TensorMap& state) {
  io::Sha256 hash;
  const auto add_text = [&](const std::string& text) {
    hash.update(text.c_str(), text.size() + 1);
  };
  for (const auto& [name, tensor] : state) {
    const auto bytes = tensor.detach().to(at::kCPU).contiguous();
    add_text(name);
    add_text(c10::toString(bytes.scalar_type()));
    add_text(c10::str(bytes.sizes()));
    hash.update(bytes.data_ptr(), bytes.nbytes());
  }
  return hash.hex();
}

}  // namespace namid::models
