// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/core/options.h"
#include "namid/models/classifier.h"

namespace namid::models {

/// Which built-in network, and how images reach it.
struct ModelOptions {
  std::string model = "resnet18";
  std::int64_t width = 0;
  std::vector<double> mean = {};
  std::vector<double> std = {};
  std::string layers = "";
  bool reference_extras = false;
  static constexpr auto fields() {
    return std::tuple{
        field("model", &ModelOptions::model, "built-in network; `namid list models` shows all"),
        field("width", &ModelOptions::width,
              "channels of the first stage, later stages in proportion; 0: the network's own",
              at_least(0)),
        field("mean", &ModelOptions::mean, "per channel, subtracted from images in [0,1]"),
        field("std", &ModelOptions::std, "per channel, divides afterwards", above(0)),
        field("layers", &ModelOptions::layers,
              "for `sequential`: a TOML file with one [[layer]] table per layer, or such text "
              "itself"),
        field("reference_extras", &ModelOptions::reference_extras,
              "for wideresnet: keep the unused sub_block1 of the released code in the state dict")};
  }
};
NAMID_CHECK_FIELDS(ModelOptions);

/// Builds the network for samples of `input_shape` with initial weights drawn from `seed` alone:
/// equal arguments give equal weights, and torch's own generator is left as it was. On the CPU, in
/// train mode. OptionError for an unknown name (with the nearest one) or unfit options.
Classifier create(const ModelOptions& options, const std::vector<std::int64_t>& input_shape,
                  std::int64_t num_classes, std::uint64_t seed = 0);

struct ModelInfo {
  std::string name;  ///< D and W stand for numbers
  std::string description;
  std::string paper;  ///< empty if there is none
};
/// What `create` knows, in the order of the documentation.
std::vector<ModelInfo> list_models();

}  // namespace namid::models
