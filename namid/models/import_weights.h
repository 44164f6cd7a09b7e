// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "namid/core/options.h"
#include "namid/models/classifier.h"
#include "namid/models/key_map.h"
#include "namid/models/weight_file.h"

namespace namid::models {

/// Weights that another program wrote, for a built-in network.
struct ImportOptions {
  std::string weights = "";
  std::string entry = "";
  KeyNames keys = KeyNames::mapped;
  std::int64_t width = 0;
  std::vector<double> mean = {};
  std::vector<double> std = {};
  std::string layers = "";
  bool reference_extras = false;
  static constexpr auto fields() {
    using T = ImportOptions;
    return std::tuple{
        field("weights", &T::weights,
              "weights by anyone (.safetensors, .pth, .pt, .npz); MODEL is then the name of a "
              "built-in network (`namid list models`)"),
        field("entry", &T::entry,
              "state dict inside a .pth file, such as model.ema; empty: found by itself, .: all"),
        field("keys", &T::keys,
              "names of the file's tensors; mapped: wrappers and names of other libraries are "
              "translated; order: the n-th tensor is the network's n-th"),
        field("width", &T::width, "channels of the network's first stage; 0: its own", at_least(0)),
        field("mean", &T::mean,
              "per channel, subtracted from images in [0,1]; empty: the weight file's"),
        field("std", &T::std, "per channel, divides afterwards", above(0)),
        field("layers", &T::layers, "for `sequential`: its layer list, a TOML file or the text"),
        field("reference_extras", &T::reference_extras,
              "for wideresnet: the released code's unused sub_block1")};
  }
};
NAMID_CHECK_FIELDS(ImportOptions);

/// The built-in `network` for such images and so many classes with these weights; on the CPU, in
/// eval mode. Normalisation that the file holds beside the weights becomes the classifier's;
/// OptionError where `mean` or `std` say otherwise. DataError names the file, and for names that do
/// not fit the nearest ones.
Classifier import_model(const std::string& network, const ImportOptions& options,
                        const std::vector<std::int64_t>& input_shape, std::int64_t num_classes);

/// Copies the tensors of a file that was read into `model`; as load_weights(path, model).
void load_weights(const WeightFile& file, const std::filesystem::path& path,
                  const Classifier& model, KeyNames keys);

}  // namespace namid::models
