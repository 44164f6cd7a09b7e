// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/estimator.h"

namespace namid::mi {
namespace {

using models::Layer;
using nlohmann::json;

constexpr const char* kMetadataKey = "namid.estimators";
constexpr std::array<std::pair<const char*, const char*>, 2> kNetNames{
    {{"local.", "local_"}, {"global.", "global_"}}};

template <class Enum, class Names>
Enum enum_of(const std::string& text, const Names& names) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (text == names[i]) return static_cast<Enum>(i);
  throw DataError(str("unknown value '", text, "'"));
}

std::string to_json(const EstimatorInfo& info) {
  return json{{"layer", std::string(to_string(info.layer))},
              {"units", info.units},
              {"num_classes", info.num_classes},
              {"input_shape", info.input_shape},
              {"norm", std::string(to_string(info.budget.norm))},
              {"epsilon", info.budget.epsilon},
              {"objective", info.objective},
              {"data", info.data},
              {"target_sha256", info.target_sha256},
              {"layer_channels", info.layer_channels},
              {"weak", info.weak}}
      .dump();
}

EstimatorInfo from_json(const std::string& text) {
  const json j = json::parse(text);
  EstimatorInfo info;
  info.layer = enum_of<Layer>(j.at("layer"), EnumNames<Layer>::kNames);
  info.units = j.at("units");
  info.num_classes = j.at("num_classes");
  info.input_shape = j.at("input_shape").get<std::vector<std::int64_t>>();
  info.budget.norm = enum_of<attacks::Norm>(j.at("norm"), EnumNames<attacks::Norm>::kNames);
  info.budget.epsilon = j.at("epsilon");
  info.objective = j.at("objective");
  info.data = j.at("data");
  info.target_sha256 = j.at("target_sha256");
  info.layer_channels = j.at("layer_channels");
  info.weak = j.value("weak", false);
  return info;
}

/// "local.<key>" → "local_n.<key>" for suffix 'n'.
void append_as(TensorMap& out, const Estimator& estimator, char suffix) {
  for (const auto& [name, tensor] : estimator.state_dict())
    for (const auto& [own, file] : kNetNames)
      if (name.starts_with(own))
        out.emplace_back(str(file, suffix, ".", name.substr(std::strlen(own))), tensor);
}

TensorMap extract(const TensorMap& tensors, char suffix) {
  TensorMap out;
  for (const auto& [name, tensor] : tensors)
    for (const auto& [own, file] : kNetNames) {
      const auto prefix = str(file, suffix, ".");
      if (name.starts_with(prefix)) out.emplace_back(own + name.substr(prefix.size()), tensor);
    }
  return out;
}

/// The nets are built from the metadata before their entries are compared, so numbers that no
/// tensor of the file bears out must not decide how much is allocated.
void check_sizes(const EstimatorInfo& info, const TensorMap& tensors) {
  const auto need = [&](const std::string& name, std::int64_t dim, std::int64_t size) {
    const auto tensor = find_tensor(tensors, name);
    if (!tensor.defined()) throw DataError(str("no tensor ", name));
    if (tensor.dim() <= dim || tensor.size(dim) != size)
      throw DataError(str(name, ": expected ", size, " along dimension ", dim, " as the metadata ",
                          "says, got shape ", c10::str(tensor.sizes())));
  };
  if (info.input_shape.size() != 3) throw DataError("input_shape: expected three numbers");
  need("local_n.linear_shortcut.weight", 0, info.units);
  need("local_n.layer0.0.weight", 1, info.input_shape[0]);
  if (info.layer == Layer::logits)
    need("global_n.linear_shortcut.weight", 1,
         info.layer_channels > 0 ? info.layer_channels : info.num_classes);
  else if (info.layer_channels > 0)
    need("global_n.block_nonlinear.0.weight", 1, info.layer_channels);
}

}  // namespace

void save_estimators(const std::filesystem::path& path, const EstimatorPair& pair) {
  TensorMap tensors;
  append_as(tensors, pair.natural, 'n');
  if (pair.adversarial.defined()) append_as(tensors, pair.adversarial, 'a');
  for (auto& [name, tensor] : tensors) tensor = tensor.cpu().contiguous();
  run::write_tensor_file(path, tensors, {{kMetadataKey, to_json(pair.info)}});
}

EstimatorPair load_estimators(const std::filesystem::path& path) {
  const auto file = run::read_tensor_file(path);
  const auto found = file.metadata.find(kMetadataKey);
  if (found == file.metadata.end())
    throw DataError(str(path.string(), ": not an estimator file: its metadata has no '",
                        kMetadataKey, "'; `namid estimate` writes such files"));
  try {
    const auto info = from_json(found->second);
    check_sizes(info, file.tensors);
    auto pair = make_estimators(info, 0);
    pair.natural.load_state_dict(extract(file.tensors, 'n'));
    if (pair.adversarial.defined()) pair.adversarial.load_state_dict(extract(file.tensors, 'a'));
    return pair;
  } catch (const json::exception& error) {
    throw DataError(str(path.string(), ": metadata '", kMetadataKey, "': ", error.what()));
  } catch (const OptionError& error) {
    throw DataError(str(path.string(), ": ", error.what()));
  } catch (const DataError& error) {
    throw DataError(str(path.string(), ": ", error.what()));
  }
}

}  // namespace namid::mi
