// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/core/options.h"
#include "namid/run/tensor_file.h"

namespace namid::models {

/// How the names of a foreign state dict are matched with a network's: exact; mapped: by the rules
/// below; order: the n-th tensor to the n-th, all of which must have equal shapes.
enum class KeyNames { exact, mapped, order };

}  // namespace namid::models

namespace namid {
template <>
struct EnumNames<models::KeyNames> {
  static constexpr std::array kNames{"exact", "mapped", "order"};
};
}  // namespace namid

namespace namid::models {

/// A state dict in a network's names, and the normalisation that stood beside it.
struct MappedWeights {
  TensorMap state;
  std::vector<double> mean = {}, std = {};  ///< per channel; empty: the file has none
};

/// Takes the normalisation out of a state dict: tensors called mean, mu or std, sigma, alone or
/// below one other name ("normalize.mean", "0.std", "module.mu"), of at most 16 channels and none
/// of the `expected` names. RobustBench and the usual wrappers keep it in such buffers.
MappedWeights split_normalisation(const TensorMap& file, const TensorMap& expected);

/// Renames what wrappers and other libraries call differently, where the file's name is not an
/// expected one and the new name is:
///   - first parts that all names share: module. (DataParallel), _orig_mod. (torch.compile),
///     model., net., network., backbone., classifier., encoder., 0., 1.;
///   - downsample -> shortcut (torchvision, timm), fc, classifier, head -> linear and back.
/// The keys of the released code of NAMID are ours. Floats of 16 bits become float32 where that is
/// expected; a num_batches_tracked that files before PyTorch 0.4.1 lack becomes 0. DataError where
/// two tensors would get one name, or where `order` meets another shape.
TensorMap map_keys(const TensorMap& file, const TensorMap& expected, KeyNames how);

/// "; nearest: 'conv.weight' in the file to conv1.weight, ..." for names that did not match, and
/// what else may help; empty if all did.
std::string explain_keys(const TensorMap& file, const TensorMap& expected);

}  // namespace namid::models
