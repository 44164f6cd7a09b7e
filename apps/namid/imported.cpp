// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/imported.h"

#include "apps/namid/inputs.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"

namespace namid::app {

models::Classifier read_model(const std::string& model, const models::ImportOptions& imported,
                              const data::Dataset& dataset, bool trust) {
  if (!imported.weights.empty())
    return models::import_model(model, imported, dataset.shape(), dataset.num_classes);
  auto given = imported;
  models::ImportOptions unset;
  OptionSet set, defaults;
  set.add("", given);
  defaults.add("", unset);
  for (std::size_t i = 0; i < set.entries().size(); ++i)
    if (const auto& entry = set.entries()[i]; entry.text() != defaults.entries()[i].text())
      throw OptionError(str(entry.path(), ": belongs to --weights FILE; ", model,
                            " says itself how it is built"));
  return read_model(model, trust, dataset.shape());
}

const std::string& model_path(const std::string& model, const models::ImportOptions& imported) {
  return imported.weights.empty() ? model : imported.weights;
}

}  // namespace namid::app
