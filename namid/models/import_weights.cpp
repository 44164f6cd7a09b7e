// SPDX-License-Identifier: Apache-2.0
#include "namid/models/import_weights.h"

#include <cmath>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/registry.h"

namespace namid::models {
namespace {

std::string list_text(const std::vector<double>& values) {
  std::string text;
  for (const auto value : values) text += str(text.empty() ? "" : ",", value);
  return text;
}

/// Files hold float32: equal to that precision.
bool same(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::abs(a[i] - b[i]) > 1e-6 * (1 + std::abs(b[i]))) return false;
  return true;
}

/// What a file holds, in the network's names; errors start with the file's.
MappedWeights fitted(const WeightFile& file, const std::string& path, const TensorMap& expected,
                     KeyNames keys) {
  try {
    auto found = keys == KeyNames::mapped ? split_normalisation(file.tensors, expected)
                                          : MappedWeights{.state = file.tensors};
    found.state = map_keys(found.state, expected, keys);
    return found;
  } catch (const DataError& error) {
    throw DataError(str(path, ": ", error.what()));
  }
}

void copy_into(const Classifier& model, const TensorMap& state, const std::string& path) {
  try {
    model.load_state_dict(state);
  } catch (const DataError& error) {
    throw DataError(str(path, ": ", error.what(), explain_keys(state, model.state_dict())));
  }
}

/// `given` by the user, else what the file has.
std::vector<double> choose(const std::vector<double>& given, const std::vector<double>& found,
                           const char* what, const std::string& path) {
  if (!given.empty() && !found.empty() && !same(given, found))
    throw OptionError(str(what, ": ", path, " holds ", list_text(found), ", got ", list_text(given),
                          "; leave the option out to take the file's"));
  return given.empty() ? found : given;
}

}  // namespace

void load_weights(const WeightFile& file, const std::filesystem::path& path,
                  const Classifier& model, KeyNames keys) {
  const auto found = fitted(file, path.string(), model.state_dict(), keys);
  const auto& info = model.info();
  if ((!found.mean.empty() && !same(info.mean, found.mean)) ||
      (!found.std.empty() && !same(info.std, found.std)))
    throw DataError(str(path.string(), ": holds the normalisation mean ", list_text(found.mean),
                        ", std ", list_text(found.std),
                        ", which the model does not have; build it with that mean and std"));
  copy_into(model, found.state, path.string());
}

Classifier import_model(const std::string& network, const ImportOptions& options,
                        const std::vector<std::int64_t>& input_shape, std::int64_t num_classes) {
  validate(options, "model");
  ModelOptions architecture{.model = network,
                            .width = options.width,
                            .mean = options.mean,
                            .std = options.std,
                            .layers = options.layers,
                            .reference_extras = options.reference_extras};
  const auto file = read_weight_file(options.weights, options.entry);
  const auto expected = create(architecture, input_shape, num_classes).state_dict();
  const auto found = fitted(file, options.weights, expected, options.keys);
  architecture.mean = choose(options.mean, found.mean, "mean", options.weights);
  architecture.std = choose(options.std, found.std, "std", options.weights);
  const auto model = create(architecture, input_shape, num_classes);
  copy_into(model, found.state, options.weights);
  model.train(false);
  return model;
}

}  // namespace namid::models
